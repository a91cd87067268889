"""Reading a script's events out of a stream that the host writes."""

from __future__ import annotations

import base64
import json

from hypothesis import given
from hypothesis import strategies as st

from provisioning.steps.compile import read_event
from provisioning.steps.events import VERBS

NONCE = "0123456789abcdef"


def test_an_event_is_read_and_its_text_decoded() -> None:
    found = base64.b64encode("port 6443 hält nginx".encode()).decode()
    line = (
        f'{NONCE} failed {{"key":"unit:x.service","hint_code":"unit_failed","found_b64":"{found}"}}'
    )
    event = read_event(line, NONCE)
    assert event is not None
    assert event.verb == "failed"
    assert event.data["found"] == "port 6443 hält nginx"


def test_lines_without_the_nonce_are_no_events() -> None:
    good = '{"changed":1}'
    assert read_event(f"done {good}", NONCE) is None
    assert read_event(f"{NONCE[:-1]}0 done {good}", NONCE) is None
    assert read_event(f" {NONCE} done {good}", NONCE) is None
    assert read_event(f"x{NONCE} done {good}", NONCE) is None
    assert read_event(f"done {good}", "") is None


def test_broken_events_are_no_events() -> None:
    for rest in (
        "", "done", "done {", 'done {"changed":"1"}', "done [1]", 'format {"key":"x"}',
        'want {"payload":"../../etc/passwd"}', 'resource {"state":"ok"}', "done " + "[" * 100_000,
    ):  # fmt: skip
        assert read_event(f"{NONCE} {rest}", NONCE) is None


def test_broken_base64_and_utf8_become_text() -> None:
    latin = base64.b64encode(b"\xff\xfe half \xe4").decode()
    event = read_event(
        f'{NONCE} failed {{"key":"k","found_b64":"{latin}","expected_b64":"?"}}', NONCE
    )
    assert event is not None
    assert "half" in str(event.data["found"])
    assert event.data["expected"] == ""


@given(st.text(max_size=300))
def test_no_line_whatsoever_raises(text: str) -> None:
    assert read_event(text, NONCE) is None
    read_event(f"{NONCE} {text}", NONCE)


@given(st.sampled_from(sorted(VERBS)), st.dictionaries(st.text(max_size=8), st.text(max_size=8)))
def test_every_event_has_what_the_engine_needs(verb: str, data: dict[str, str]) -> None:
    event = read_event(f"{NONCE} {verb} {json.dumps(data)}", NONCE)
    if event is not None:
        name, kind = VERBS[verb]
        assert isinstance(event.data[name], kind)
