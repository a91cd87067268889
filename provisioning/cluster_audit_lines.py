"""A cluster's own audit log as text: the script that looks for lines, and what a line says.

Pure: no connection and no row. A host's answer is text that anybody may have written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from provisioning import shell
from provisioning.steps.audit_policy import FOLDER

MOST = 500  # entries of one answer
BYTES = 4 * 1024 * 1024  # that a host answers at most
NO_LOG = 66  # exit status where a host has no such folder
URI_LIMIT, TEXT_LIMIT, CONTENT_LIMIT = 2000, 300, 20_000
CHANGES = ("create", "update", "patch", "delete", "deletecollection")
READS = ("get", "list", "watch")
PERSON = "flotilla:user:"  # + the user's number: in whose name the console calls
CONSOLE = "flotilla:console"
# The console's own calls, in nobody's name: impersonatedUser would stand before sourceIPs.
_CONSOLES_OWN = f'"user":{{"username":"{CONSOLE}"[^}}]*}}}}*,"sourceIPs"'
_CLUSTERS_OWN = '"user":{"username":"system:'


@dataclass(frozen=True)
class Query:
    """What to look for, between two moments.

    request: the console's id of a request, or a whole audit id. users: names as the cluster has
    them, any of which fits. verbs: any of them. resource: a plural such as "pods". everybody: also
    the cluster's own parts and what the console asks by itself.
    """

    since: datetime
    until: datetime
    request: str = ""
    users: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ()
    resource: str = ""
    everybody: bool = False


@dataclass(frozen=True)
class Entry:
    """One line: the stage of a call that it tells of (ResponseComplete for nearly all).

    user: who signed in; person: in whose name, "" where in their own. status: of HTTP, 0 where
    there is none. content: what was sent, as indented JSON. audit_id: of a call of the console, it
    begins with the id of the request that caused it. name: of the console's user of that number.
    """

    time: datetime
    host: str
    stage: str
    user: str
    person: str
    verb: str
    uri: str
    what: str
    status: int
    reason: str
    decision: str
    addresses: tuple[str, ...]
    agent: str
    audit_id: str
    content: str
    name: str = ""

    @property
    def who(self) -> str:
        """As whom the cluster took the call, by the person's name where it is known."""
        return self.name or self.person or self.user

    @property
    def request(self) -> str:
        """The id of the console's request, "" where the call is not one of the console."""
        head, dot, _tail = self.audit_id.partition(".")
        return head if dot and self.user == CONSOLE else ""


def script(query: Query) -> str:
    """Prints the newest lines that fit, oldest first: MOST + 1 at most, and BYTES."""
    steps = [_grep(_times(query))]
    if query.request:
        steps.append(_grep([f'"auditID":{_text(query.request)[:-1]}']))
    if query.users:
        steps.append(_grep(f'"username":{_text(user)}' for user in query.users))
    if query.verbs:
        steps.append(_grep(f'"verb":{_text(verb)}' for verb in query.verbs))
    if query.resource:
        steps.append(_grep([f'"resource":{_text(query.resource)}']))
    if not query.everybody:
        steps.append(f"grep -aFv -e {shell.quote(_CLUSTERS_OWN)}")
        steps.append(f"grep -av -e {shell.quote(_CONSOLES_OWN)}")
    first, *rest = steps
    narrowed = "".join(f" |\n  {step}" for step in rest)
    return (
        f"cd {shell.path(FOLDER)} 2>/dev/null || exit {NO_LOG}\n"
        "export LC_ALL=C\n"
        # A file ends with the moment at which it was put aside.
        "find . -maxdepth 1 -type f -name 'audit*.log' "
        f"-newermt @{int(query.since.timestamp())} -printf '%T@ %f\\n' | sort -n | cut -d' ' -f2- |"
        "\n  while IFS= read -r f; do\n"
        f'    nice -n 19 {first} -h -- "$f"\n'
        f"  done{narrowed} |\n  tail -n {MOST + 1} | tail -c {BYTES}\n"
    )


def _grep(texts: Iterable[str]) -> str:
    return "grep -aF " + " ".join(f"-e {shell.quote(text)}" for text in texts)


def _text(value: str) -> str:
    """As a JSON string of Go's encoder, which escapes what HTML would read."""
    written = json.dumps(value, ensure_ascii=False)
    for sign in "<>&\u2028\u2029":
        written = written.replace(sign, f"\\u{ord(sign):04x}")
    return written


def _times(query: Query) -> list[str]:
    """Beginnings of moments that cover the time between: minutes, hours or days."""
    sizes = ((16, timedelta(minutes=1)), (13, timedelta(hours=1)), (10, timedelta(days=1)))
    whole = query.until - query.since
    length, step = next((size for size in sizes if whole / size[1] <= 120), sizes[-1])
    found: dict[str, None] = {}
    moment, until = query.since.astimezone(UTC), query.until.astimezone(UTC)
    while moment < until + step:
        found[min(moment, until).isoformat()[:length]] = None
        moment += step
    return [f'"stageTimestamp":"{head}' for head in found]


def entries(query: Query, host: str, answer: bytes) -> list[Entry]:
    """The entries of a host's answer that lie in the time asked for; what is none is left out."""
    found = []
    for line in answer.splitlines():
        entry = _entry(host, line)
        if entry is not None and query.since <= entry.time <= query.until and _fits(query, entry):
            found.append(entry)
    return found


def _fits(query: Query, entry: Entry) -> bool:
    # The words of a filter may stand elsewhere in a line, in what somebody sent.
    return (
        entry.audit_id.startswith(query.request)
        and (not query.users or bool({entry.user, entry.person} & set(query.users)))
        and (not query.verbs or entry.verb in query.verbs)
    )


def _entry(host: str, line: bytes) -> Entry | None:
    try:
        raw = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None  # cut at the limit, or while it is written
    if not isinstance(raw, dict):
        return None
    try:
        moment = datetime.fromisoformat(str(raw.get("stageTimestamp", "")))
    except ValueError:
        return None
    if moment.tzinfo is None:
        return None
    status, notes = _of(raw, "responseStatus"), _of(raw, "annotations")
    code = status.get("code")
    addresses = raw.get("sourceIPs")
    return Entry(
        time=moment,
        host=host,
        stage=_short(raw.get("stage")),
        user=_short(_of(raw, "user").get("username")),
        person=_short(_of(raw, "impersonatedUser").get("username")),
        verb=_short(raw.get("verb")),
        uri=_short(raw.get("requestURI"), URI_LIMIT),
        what=_what(_of(raw, "objectRef")),
        status=code if isinstance(code, int) else 0,
        reason=_short(status.get("message") or status.get("reason")),
        decision=_short(notes.get("authorization.k8s.io/decision")),
        addresses=tuple(_short(a) for a in addresses[:5]) if isinstance(addresses, list) else (),
        agent=_short(raw.get("userAgent")),
        audit_id=_short(raw.get("auditID")),
        content=_content(raw.get("requestObject")),
    )


def _of(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _short(value: object, most: int = TEXT_LIMIT) -> str:
    return str(value)[:most] if isinstance(value, str) else ""


def _what(ref: Mapping[str, Any]) -> str:
    """ "pods/exec shop/web-1"; "" for what is no object."""
    resource, part = _short(ref.get("resource")), _short(ref.get("subresource"))
    place = [_short(ref.get("namespace")), _short(ref.get("name"))]
    kind = f"{resource}/{part}" if part else resource
    return f"{kind} {'/'.join(text for text in place if text)}".strip()


def _content(sent: object) -> str:
    if not isinstance(sent, dict):
        return ""
    text = orjson.dumps(sent, option=orjson.OPT_INDENT_2).decode()
    return text if len(text) <= CONTENT_LIMIT else f"{text[:CONTENT_LIMIT]}\n…"


def merged(found: Sequence[Sequence[Entry]]) -> list[Entry]:
    """All hosts' entries, newest first, MOST + 1 at most."""
    everything = [entry for part in found for entry in part]
    return sorted(everything, key=lambda e: (e.time, e.audit_id), reverse=True)[: MOST + 1]
