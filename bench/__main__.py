"""`python -m bench [name ...]`: measure all or some, print the table, write JSON.

Exit code 0 also when an aim is missed, 1 with --check; 2 for an unknown name.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import Any

from bench.console import Console
from bench.report import Result, machine_facts, table

# In the order in which they run: name of the measurement and its module.
MEASUREMENTS = {
    "engine": "bench.engine",
    "connections": "bench.connections",
    "live-log": "bench.live_log",
    "open-log": "bench.open_log",
    "memory": "bench.memory",
    "inventory": "bench.inventory",
    "fleet": "bench.fleet",
    "live-rows": "bench.live_rows",
    "create": "bench.create",
    "failover": "bench.failover",
    "create-standard": "bench.create_standard",
    "distribute": "bench.distribute",
    "pages": "bench.pages",
    "tenants": "bench.tenants",
    "reconcile": "bench.reconcile",
    "peer": "bench.peer",
    "audit": "bench.audit_speed",
}


def main() -> int:
    """Read the arguments, measure, tell."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(MEASUREMENTS))
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured (5)")
    parser.add_argument(
        "--minutes", type=float, default=10, help="how long failover watches a busy machine (10)"
    )
    parser.add_argument(
        "--events", type=int, default=100_000, help="how many events audit looks at (100,000)"
    )
    parser.add_argument("--json", type=Path, help="write everything to this file too")
    parser.add_argument("--check", action="store_true", help="exit 1 when an aim is missed")
    options = parser.parse_args()
    if unknown := [name for name in options.names if name not in MEASUREMENTS]:
        parser.error(f"no measurement is called {', '.join(unknown)}: {', '.join(MEASUREMENTS)}")
    facts = machine_facts()
    results: list[Result] = []
    os.environ.setdefault("FLOTILLA_LOG_LEVEL", "WARNING")
    with Console() as console:
        for name in MEASUREMENTS:
            if options.names and name not in options.names:
                continue
            print(f"… {name}", file=sys.stderr, flush=True)
            results.append(_measure(name, console, options))
    print("\n".join(table(facts, results)))
    if options.json:
        found = {"machine": facts, "results": [result.as_json() for result in results]}
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    return 1 if options.check and any(result.met is not True for result in results) else 0


def _measure(name: str, console: Console, options: argparse.Namespace) -> Result:
    module = importlib.import_module(MEASUREMENTS[name])
    more: dict[str, Any] = {"minutes": options.minutes} if name == "failover" else {}
    if name == "audit":
        more = {"events": options.events}
    try:
        result: Result = module.measure(console, options.rounds, **more)
    except Exception as error:  # the other measurements go on
        traceback.print_exc()
        result = Result(
            name, module.TITLE, module.AIM, "failed", False, notes=[str(error).splitlines()[0]]
        )
    finally:
        console.stop_all()
    return result


if __name__ == "__main__":
    sys.exit(main())
