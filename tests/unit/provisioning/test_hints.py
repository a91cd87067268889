"""Every code that a step's script may fail with says what to do about it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils import translation

import provisioning.steps
from provisioning.hints import HINTS, UNKNOWN, hint

STEPS = Path(provisioning.steps.__path__[0])
FAIL = re.compile(r"\bfl_fail(?:ed)? (\S+)")  # fl_failed: in scripts that are no step's


def in_shell() -> Iterator[str]:
    for file in (*STEPS.glob("*.sh"), *STEPS.parent.rglob("*.py")):
        lines = file.read_text(encoding="utf-8").splitlines()
        yield from FAIL.findall("\n".join(x for x in lines if not x.lstrip().startswith("#")))


def in_probes() -> Iterator[str]:
    """The hint of each Probe: its fifth argument."""
    for file in STEPS.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Probe":
                yield ast.literal_eval(node.args[4])


def test_every_code_of_the_steps_has_its_hint() -> None:
    shell = set(in_shell())
    variables = {code for code in shell if code.startswith('"$')}
    assert variables == {'"$2"'}, "only fl_probe passes on the code that its caller gives"
    used = shell - variables | set(in_probes())
    assert {"disk_full", "pod_silent", "left_behind"} <= used
    assert used - set(HINTS) == set()


def test_no_hint_is_left_over() -> None:
    assert set(HINTS) <= set(in_shell()) | set(in_probes())


def test_a_hint_is_in_the_readers_language() -> None:
    assert hint("pod_silent").startswith("The output names the silent pods")
    assert hint("no_such_code") == UNKNOWN
    with translation.override("zh-hans"):
        assert "Pod 网络" in hint("pod_silent")
