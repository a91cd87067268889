"""Words for every code, and rows and events of any kind that make nothing fail."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import clusters.diagnosis
from clusters.diagnosis import cause_of, evidence_link, level, refine, words
from clusters.diagnosis.pods_schedule import parse
from clusters.diagnosis.words import WORDS
from clusters.inventory.kinds import KINDS
from clusters.models import ClusterEvent, Object
from tests.unit.diagnosis import messages
from tests.unit.diagnosis.rows import NOW

FOLDER = Path(clusters.diagnosis.__file__).parent


def codes_in_rules() -> set[str]:
    sources = [p.read_text() for p in FOLDER.glob("*.py") if not p.name.startswith("words")]
    return set(re.findall(r'"([a-z]+(?:_[a-z0-9]+)*)"', "\n".join(sources)))


def test_every_code_that_has_words_is_made_by_a_rule() -> None:
    made = codes_in_rules() | {f"probe_{kind}" for kind in ("liveness", "readiness", "startup")}
    assert set(WORDS) - made == set()


@pytest.mark.parametrize("code", sorted(WORDS))
def test_words_are_sentences_even_of_a_cause_that_lacks_its_values(code: str) -> None:
    told = words({"code": code, "values": {}, "evidence": {}})
    assert re.fullmatch(r"[A-Z%?/].*\.", told.what), told.what
    assert told.mend.endswith(".")
    assert level({"code": code}) in ("bad", "warn", "info")


def test_a_code_of_a_newer_version_is_shown_as_it_is() -> None:
    assert words({"code": "something_new"}).what == "Not well: something_new."
    assert words({}).what == "" and level({}) == ""


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=40)
    | st.sampled_from(["True", "False", "Unknown", "waiting", "running", "terminated", "Pending",
                       "Failed", "Terminating", "CrashLoopBackOff", "ErrImagePull", "OOMKilled",
                       "CreateContainerError", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
                       "2026-03-01T11:00:00Z", "2026-13-41", "-1"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=8,
)  # fmt: skip
KEYS = [
    "phase", "ready", "restarts", "deleted", "containers", "conditions", "volumes", "desired",
    "updated", "failed", "suspended", "unschedulable", "selector", "rules", "class", "reason",
    "message", "finalizers", "cpu_request", "misscheduled", "version", "requested",
]  # fmt: skip
CONTAINER_KEYS = [
    "name", "image", "init", "ready", "restarts", "state", "reason", "message", "exit_code",
    "signal", "since", "last", "limits", "probes",
]  # fmt: skip
CONDITION = st.dictionaries(
    st.sampled_from(["type", "status", "reason", "message", "since"]), JSON, max_size=5
) | st.fixed_dictionaries(
    {"type": st.sampled_from(["Ready", "PodScheduled", "Progressing", "ReplicaFailure", "Failed",
                              "NamespaceFinalizersRemaining", "DisruptionTarget"]),
     "status": st.sampled_from(["True", "False", "Unknown"]), "message": st.text(max_size=60),
     "reason": JSON}
)  # fmt: skip
SUMMARY = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(KEYS, JSON),
        "deleted": JSON | st.just("2026-03-01T11:00:00Z"),
        "containers": JSON
        | st.lists(st.dictionaries(st.sampled_from(CONTAINER_KEYS), JSON, max_size=14), max_size=3),
        "conditions": JSON | st.lists(CONDITION, max_size=4),
    },
)
ALL_MESSAGES = [said for _, said, *_ in messages.IMAGES + messages.STARTS + messages.MOUNTS] + [
    said for said, *_ in messages.SCHEDULING + messages.REFUSALS + messages.PROBES
]
REASONS = [
    "FailedScheduling", "FailedMount", "FailedAttachVolume", "Unhealthy", "Killing", "BackOff",
    "Failed", "FailedCreate", "FailedKillPod", "Evicted", "Preempted", "NodeNotReady", "SystemOOM",
    "FailedCreatePodSandBox", "ProvisioningFailed", "ExternalProvisioning", "FailedNeedsStart",
    "MissSchedule", "VolumeResizeFailed", "VolumeFailedDelete", "WaitForFirstConsumer", "",
]  # fmt: skip


@st.composite
def events(draw: st.DrawFn) -> ClusterEvent:
    said = draw(st.text(max_size=80) | st.sampled_from(ALL_MESSAGES))
    cut = draw(st.integers(0, 400))
    return ClusterEvent(
        reason=draw(st.sampled_from(REASONS)),
        message=said[:cut],
        count=draw(st.integers(0, 10**9)),
        first=draw(st.datetimes(timezones=st.just(UTC))),
        last=draw(st.datetimes(timezones=st.just(UTC)) | st.just(NOW)),
    )


RESOURCES = [kind.resource for kind in KINDS] + ["widgets.example.com"]


@given(
    resource=st.sampled_from(RESOURCES),
    summary=SUMMARY | JSON,
    status=st.sampled_from(["", "Evicted", "OutOfcpu", "Terminating", "NodeLost"]),
    told=st.lists(events(), max_size=4),
)
def test_no_row_and_no_event_makes_it_fail(
    resource: str, summary: Any, status: str, told: list[ClusterEvent]
) -> None:
    row = Object(
        resource=resource, kind="X", name="x", namespace="n", status=status, summary=summary,
        created=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    for found in (cause_of(row, NOW), refine(row, told, NOW)):
        # It is kept as JSON, in databases that take neither NULs nor half characters.
        written = json.dumps(found, allow_nan=False)
        assert "\\u0000" not in written and len(written) < 20_000
        written.encode()
        json.dumps(found, ensure_ascii=False).encode()
        said = words(found)
        assert len(said.what) < 8000 and "\x00" not in said.what and "\n" not in said.what
        evidence_link(row, found)


@given(st.text() | st.lists(st.sampled_from(ALL_MESSAGES)).map("".join))
def test_the_scheduler_may_say_anything(said: str) -> None:
    found = parse(said)
    assert len(found["parts"]) <= 12 and all(len(part) == 3 for part in found["parts"])


@given(
    st.dictionaries(st.text(max_size=8), JSON, max_size=4) | JSON, st.sampled_from(sorted(WORDS))
)
def test_what_a_database_holds_as_a_cause_can_always_be_said(values: Any, code: str) -> None:
    assert words({"code": code, "values": values, "evidence": values}).what


def test_markup_in_a_message_stays_text() -> None:
    said = "<script>alert(1)</script> rpc\x1b[31m error\u202e"
    found = cause_of(
        Object(resource="pods", name="x", status="", summary={
            "phase": "Pending",
            "containers": [{"name": "<b>", "state": "waiting", "reason": "ErrImagePull",
                            "message": said, "image": "<img src=x>"}],
        }),
        NOW,
    )  # fmt: skip
    assert found["values"]["said"] == "<script>alert(1)</script> rpc [31m error"
