"""What a measurement found, as a table for people and as plain values for JSON."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Result:
    """One measurement: its figure against its aim, and the parts that the figure is made of.

    met is None where the measurement could not be made (why stands in `notes`).
    """

    name: str
    title: str
    aim: str
    figure: str = "-"
    met: bool | None = None
    parts: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    data: dict[str, Any] = field(default_factory=dict)

    def add(self, label: str, value: str) -> None:
        """One part of the figure."""
        self.parts.append((label, value))

    def as_json(self) -> dict[str, Any]:
        """The same as plain values."""
        return asdict(self)


def skipped(name: str, title: str, aim: str, why: str) -> Result:
    """A measurement that this machine cannot make."""
    return Result(name, title, aim, figure="not measured", notes=[why])


def seconds(values: Sequence[float]) -> str:
    """The median with its range: "1.23 s (1.20 to 1.31, 5 rounds)"."""
    middle = statistics.median(values)
    return f"{middle:.2f} s ({min(values):.2f} to {max(values):.2f}, {len(values)} rounds)"


def median_ratio(left: Sequence[float], right: Sequence[float]) -> float:
    """The median of the rounds' own ratios: load that comes and goes hits both sides of a round."""
    return statistics.median(a / b for a, b in zip(left, right, strict=True))


def machine_facts() -> dict[str, str]:
    """What the figures depend on."""
    memory = Path("/proc/meminfo").read_text().split("\n", 1)[0].split()[1]
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "load when it began": " ".join(f"{x:.2f}" for x in os.getloadavg()),
        "memory": f"{int(memory) / 2**20:.1f} GiB",
        "kernel": platform.release(),
        "Python": platform.python_version(),
        "OpenSSH": _first_line(["ssh", "-V"]),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _first_line(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return "not there"
    return (done.stdout + done.stderr).strip().splitlines()[0]


def table(facts: dict[str, str], results: Sequence[Result]) -> list[str]:
    """Everything as lines of text: the machine first, then each measurement with its parts."""
    lines = ["Machine"]
    lines += [f"  {name:<20} {value}" for name, value in facts.items()]
    for result in results:
        verdict = {True: "met", False: "MISSED", None: "not measured"}[result.met]
        lines += ["", f"{result.title}  [{result.name}]"]
        lines.append(f"  {result.figure}   aim: {result.aim}   {verdict}")
        width = max((len(label) for label, _ in result.parts), default=0)
        lines += [f"    {label:<{width}}  {value}" for label, value in result.parts]
        lines += [f"    · {note}" for note in result.notes]
    return lines
