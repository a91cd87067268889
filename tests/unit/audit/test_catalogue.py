"""The catalogue of actions: what the code names is in it, nothing else is, and the docs show it.

To write docs/audit-actions.md anew run

    FLOTILLA_WRITE_ACTIONS=1 python -m pytest tests/unit/audit/test_catalogue.py
"""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation import override

from console.audit.catalogue import ACTIONS

CHECKOUT = Path(__file__).parents[3]
PAGE = CHECKOUT / "docs/audit-actions.md"
ROOMS = ("console", "clusters", "provisioning", "tenancy", "lab")
HEAD = """# What is recorded

Every action that an event of the [audit record](audit.md) may name
(`console/audit/catalogue.py`).

| Action | What it means |
|---|---|
"""


def sources() -> Iterator[ast.Module]:
    for room in ROOMS:
        for path in sorted((CHECKOUT / room).rglob("*.py")):
            if path.name != "catalogue.py" or "audit" not in path.parts:
                yield ast.parse(path.read_text(encoding="utf-8"))


def test_the_docs_show_the_catalogue() -> None:
    with override("en"):
        rows = "".join(f"| `{name}` | {text} |\n" for name, text in sorted(ACTIONS.items()))
    if os.environ.get("FLOTILLA_WRITE_ACTIONS"):
        PAGE.write_text(HEAD + rows, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == HEAD + rows, "see this file's first lines"


def test_every_recorded_action_is_in_the_catalogue() -> None:
    named = {
        call.args[0].value
        for tree in sources()
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and getattr(call.func, "id", getattr(call.func, "attr", "")) == "record"
        and call.args
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, str)
    }
    assert len(named) > 30 and named <= set(ACTIONS)
