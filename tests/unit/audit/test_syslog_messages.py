"""Any event makes messages that any syslog server takes apart as they were meant."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from console.audit.canonical import plain
from console.audit.models import AuditEvent
from console.audit.streams.batches import Item
from console.audit.streams.syslog import counted, messages
from tests.unit.audit.syslog_server import frames, parsed

# Lone halves of characters cannot be in an event: record() replaces them.
text = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
values = st.recursive(st.none() | st.booleans() | st.integers() | text, st.lists, max_leaves=5)
events = st.builds(
    AuditEvent,
    time=st.integers(0, 2**37).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    uid=st.none() | st.builds(uuid.uuid4),
    **dict.fromkeys(
        ("actor_name", "object_name", "cluster_name", "tenant_name", "reason", "user_agent"), text
    ),
    action=st.sampled_from(["host.added", "namespace.kubeconfig_revoked_and_more_than_32"]) | text,
    outcome=st.sampled_from(["success", "failure", "denied"]),
    request_id=text,
    address=st.none() | st.ip_addresses().map(str),
    before=st.dictionaries(text, values, max_size=3),
    after=st.dictionaries(text, values, max_size=3),
)


@given(events, st.integers(0, 2**60), st.sampled_from([2048, 8000]))
def test_any_event_reads_back(event: AuditEvent, position: int, most: int) -> None:
    line = json.dumps({"position": position, "event": plain(event)}, ensure_ascii=True)
    sent = list(messages(Item(line, position, event), most))
    data = b"".join(counted(message) for message in sent)
    got = [parsed(frame) for frame in frames(data)]
    assert len(got) == len(sent) and all(message.size <= most for message in got)
    assert "".join(message.text for message in got) == line
    # Nothing in it ends a line early for a server that counts no octets, or moves a cursor.
    assert all(message.isprintable() for message in sent)
    for number, message in enumerate(got, start=1):
        assert message.fields["position"] == str(position)
        assert message.fields.get("part", "1") == str(number)
        name = "".join(c if c.isprintable() else "\ufffd" for c in event.actor_name[:64])
        assert message.fields.get("actor", "") == name
        assert message.priority == 13 * 8 + (6 if event.outcome == "success" else 4)
