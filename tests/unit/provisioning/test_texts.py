"""What recipes say: English by themselves, the reader's language inside the console."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.utils import translation

from provisioning.facts import Address, Facts, Listener
from provisioning.plan import plan
from provisioning.preflight import preflight
from provisioning.recipes.delete import DELETE
from provisioning.recipes.lightweight import CREATE
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Context, Problem, Step
from tests.unit.provisioning.conftest import facts_of, make_spec

CHINESE = re.compile(r"[\u4e00-\u9fff]")
ENGLISH_WORD = re.compile(r"\b(the|its?|is|of|has|and|on|for|needs|another|than|it)\b")


@pytest.fixture
def chinese() -> Iterator[None]:
    with translation.override("zh-hans"):
        yield


def with_port_taken() -> tuple[ClusterSpec, dict[int, Facts]]:
    spec = make_spec()
    facts = facts_of(spec)
    first = spec.hosts[0].id
    facts[first] = replace(facts[first], listeners=(Listener("tcp", "0.0.0.0", 6443, "nginx"),))
    return spec, facts


def test_a_problem_is_english_by_default() -> None:
    (problem,) = preflight(*with_port_taken())
    assert problem.what == "node1: port 6443, for kube-apiserver, is taken by nginx."
    assert problem.mend == "Stop nginx or move it to another port."


def test_a_problem_is_in_the_readers_language(chinese: None) -> None:
    (problem,) = preflight(*with_port_taken())
    assert problem.what == "node1：kube-apiserver 所需的端口 6443 已被 nginx 占用。"
    assert problem.mend == "请停止 nginx，或把它移到别的端口。"


def test_no_problem_is_left_in_english(chinese: None) -> None:
    found = list(_every_problem())
    assert len({problem.code for problem in found}) >= 18
    for problem in found:
        for text in (problem.what, problem.mend):
            assert CHINESE.search(text), text
            assert not ENGLISH_WORD.search(text), text


def _every_problem() -> Iterator[Problem]:
    spec = make_spec()
    facts = facts_of(spec)
    one, two = (host.id for host in spec.hosts)
    bad = replace(
        facts[one],
        root=False,
        arch="",
        init="",
        skew=-300.0,
        cpus=0,
        memory=0,
        disks=tuple(replace(disk, free=0) for disk in facts[one].disks),
        listeners=(Listener("tcp", "0.0.0.0", 6443, ""),),
        traces=tuple(f"/trace/{number}" for number in range(6)),
    )
    yield from preflight(spec, {one: bad})  # nothing is known of the second host
    yield from preflight(spec, facts | {one: replace(facts[one], clusters=(99,))})
    twin = replace(facts[two], machine_id=facts[one].machine_id)
    yield from preflight(spec, {one: facts[one], two: twin})
    apart = replace(facts[two], addresses=(Address("eth0", spec.hosts[1].address, 32),))
    yield from preflight(spec, {one: facts[one], two: apart})
    release = replace(spec.release, version="v1.2.3", files=())
    wrong = replace(spec, name="No Name", release=release, control_plane=spec.hosts, workers=())
    yield from preflight(wrong, facts)
    yield from preflight(replace(spec, profile="standard"), facts)
    for pods, services in (
        ("10.0.0.0/8", "10.1.0.0/16"),
        ("pods", "10.1.0.0/16"),
        ("10.244.0.0/24", "10.1.0.0/30"),
        ("10.244.0.0/16", str(spec.hosts[0].address) + "/32"),
    ):
        yield from preflight(replace(spec, pod_cidr=pods, service_cidr=services), facts)


@pytest.mark.parametrize("recipe", [CREATE, DELETE], ids=["create", "delete"])
def test_a_plan_is_in_the_readers_language(recipe: type, chinese: None) -> None:
    spec = make_spec()
    data = plan(recipe, spec, facts_of(spec), {}).as_data()  # type: ignore[arg-type]
    for phase in data["phases"]:
        for step in phase["steps"]:
            for text in (phase["title"], step["title"]):
                assert CHINESE.search(text) or text == "etcd"
            for item in (item for host in step["hosts"] for item in host["items"]):
                assert CHINESE.search(item["title"]), item


def test_a_plan_is_english_by_default_and_its_commands_always() -> None:
    spec = make_spec()
    english = plan(CREATE, spec, facts_of(spec), {}).as_data()
    with translation.override("zh-hans"):
        chinese = plan(CREATE, spec, facts_of(spec), {}).as_data()
    assert not CHINESE.search(str(english))
    first, other = (
        data["phases"][1]["steps"][0]["hosts"][0]["items"] for data in (english, chinese)
    )
    assert (first[0]["title"], other[0]["title"]) == (
        "Folder /etc/kubernetes",
        "目录 /etc/kubernetes",
    )
    assert first[0]["detail"] == other[0]["detail"] == ["mkdir -m 755 /etc/kubernetes"]


def test_the_language_changes_nothing_on_a_host() -> None:
    """A unit is restarted when a fingerprint changes: a text in one would restart it."""
    spec = make_spec()

    def prints() -> list[str]:
        return [
            f"{resource.key} {resource.fingerprint()}"
            for phase in CREATE.phases(spec)
            for placed in phase.placed
            if isinstance(placed.step, Step)
            for host in placed.hosts
            for resource in placed.step.resources(Context(spec, host, facts_of(spec), {}))
        ]

    english = prints()
    with translation.override("zh-hans"):
        assert prints() == english


def test_without_the_console_texts_are_english() -> None:
    code = (
        "import sys; from provisioning.recipes.lightweight import CREATE;"
        "from provisioning.texts import gettext;"
        "print(gettext('Look at it first.'), 'django' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "Look at it first. False"
