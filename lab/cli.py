"""The command line of the lab, the same for `manage.py lab` and `python -m lab`."""

import argparse
import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from lab import kubernetes, requirements
from lab.errors import LabError, Output
from lab.lab import DEFAULT_HOSTS, Lab, lab_names
from lab.machine import HostStatus
from lab.network import DEMO_NAME

DESCRIPTION = "Real Linux hosts on this machine, to try Flotilla on."
HOST_ACTIONS = {
    "cut": "take a host's power away",
    "boot": "switch a host on",
    "poweroff": "shut a host down in order",
    "partition": "pull a host's network cable out",
    "heal": "plug a host's network cable in again",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the lab's commands and options to a parser."""
    commands = parser.add_subparsers(dest="lab_command", required=True, metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--name", default=DEMO_NAME, help="the lab (default: %(default)s)")
    common.add_argument("--subnet", help="its private subnet, such as 10.78.0.0/24")
    up = commands.add_parser("up", parents=[common], help="bring the lab up")
    up.add_argument("-n", "--hosts", type=int, default=DEFAULT_HOSTS, help="how many hosts")
    up.add_argument("--bridge", help="the name of its bridge")
    up.add_argument(
        "--authorized-key",
        action="append",
        default=[],
        metavar="FILE",
        help="a public key file that may sign in; without one the lab makes a key pair",
    )
    up.add_argument("--install", action="store_true", help="install with apt what is missing")
    commands.add_parser("down", parents=[common], help="remove the lab and prove it")
    status = commands.add_parser("status", parents=[common], help="show the lab's hosts")
    status.add_argument("--json", action="store_true", help="as JSON, for programs")
    programs = commands.add_parser("kubernetes", help="find or build Kubernetes binaries")
    programs.add_argument(
        "--build",
        action="append",
        default=[],
        metavar="VERSION",
        help="build the distribution's source under this version string, such as v1.20.2; again "
        "for one more from the same compilation",
    )
    for action, text in HOST_ACTIONS.items():
        one = commands.add_parser(action, parents=[common], help=text)
        one.add_argument("host", help="such as node1")


def handle(options: argparse.Namespace, out: Output) -> int:
    """Do what the parsed options ask for; the exit code. Raises LabError when it fails."""
    command: str = options.lab_command
    if command == "kubernetes":
        return _kubernetes(options.build, out)
    if command == "status" and not options.subnet and options.name not in ("", *lab_names()):
        return _no_lab(options.name, options.json, out)
    if command == "up":
        return _up(options, out)
    lab = Lab(options.name, options.subnet)
    if command == "down":
        lab.down(out)
        return 0
    if command == "status":
        return _status(lab, options.json, out)
    host = lab.host(options.host)
    if command == "cut":
        host.power_cut(out)
    elif command == "boot":
        host.boot(out)
    elif command == "poweroff":
        host.poweroff(out)
    elif command == "partition":
        host.partition(out)
    else:
        host.heal(out)
    return 0


def _up(options: argparse.Namespace, out: Output) -> int:
    if options.install:
        requirements.install(out)
    keys = [line for name in options.authorized_key for line in _read_keys(Path(name))]
    lab = Lab(options.name, options.subnet, options.hosts, options.bridge, keys)
    lab.up(out)
    out("")
    for line in table(lab.status()):
        out(line)
    out("")
    out(f"Sign in: ssh -i {lab.key_path} root@{lab.hosts[0].address}")
    return 0


def _kubernetes(versions: Sequence[str], out: Output) -> int:
    bundles = kubernetes.build(versions, out) if versions else [kubernetes.ensure(None, out)]
    for bundle in bundles:
        out(f"{bundle.version} ({bundle.architecture}): {bundle.folder}")
        out(f"  from {bundle.source}")
    return 0


def _read_keys(path: Path) -> list[str]:
    try:
        lines = path.expanduser().read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(
            f"Reading the public key {path}", str(error), "name a file ending in .pub"
        ) from error
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _status(lab: Lab, as_json: bool, out: Output) -> int:
    hosts = lab.status()
    if as_json:
        report = {
            "name": lab.name,
            "subnet": str(lab.plan.subnet),
            "bridge": lab.plan.bridge,
            "key": str(lab.key_path),
            "hosts": [host.as_dict() for host in hosts],
        }
        out(json.dumps(report, indent=1))
        return 0
    out(f"Lab {lab.name}: {lab.plan.subnet} on {lab.plan.bridge}")
    for line in table(hosts):
        out(line)
    return 0


def _no_lab(name: str, as_json: bool, out: Output) -> int:
    if as_json:
        out(json.dumps({"name": name, "hosts": []}, indent=1))
    else:
        others = ", ".join(lab_names()) or "none"
        out(f"Lab {name}: not up. Labs on this machine: {others}")
    return 0


def table(hosts: Sequence[HostStatus]) -> list[str]:
    """The hosts as lines of text, columns aligned."""
    rows = [("HOST", "ADDRESS", "STATE", "PID", "UP")]
    for host in hosts:
        up = "-" if host.uptime_seconds is None else f"{host.uptime_seconds:.0f} s"
        rows.append((host.name, host.address, host.state, str(host.pid or "-"), up))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="lab", description=DESCRIPTION)
    add_arguments(parser)
    options = parser.parse_args(argv)

    def out(line: str) -> None:
        # Whoever read along may have gone (`| head`); the hosts are to come up all the same.
        with suppress(BrokenPipeError):
            print(line, flush=True)

    try:
        return handle(options, out)
    except LabError as error:
        print(f"{error.what}: {error.cause}\nTo mend it: {error.mend}", file=sys.stderr)
        return 1
