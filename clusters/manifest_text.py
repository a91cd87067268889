"""YAML that people paste: read without trust, written, compared, and with secrets masked.

Nothing here talks to a cluster. What is refused: aliases and anchors (271 bytes
can become 254 MB), more than 1 MiB, 200 documents or 64 levels, duplicate keys,
tags other than those of JSON. Scalars are those of JSON: no dates, no base-60
numbers ("22:22" is a text, as kubectl reads it), and true and false alone are booleans.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from django.utils.translation import gettext as _

from clusters.line_diff import line_diff

JSON = dict[str, Any]

MOST_BYTES = 1024 * 1024
MOST_DOCUMENTS = 200
MOST_LEVELS = 64
MASK = "••••"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_API_VERSION = re.compile(r"([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?v[a-z0-9]{1,62}")
_KIND = re.compile(r"[A-Z][A-Za-z0-9]{0,62}")
_PART = re.compile(r"[^/%\x00-\x1f\x7f]{1,253}")
_TAG = "tag:yaml.org,2002:"
_TAGS = {_TAG + kind for kind in ("str", "int", "float", "bool", "null", "map", "seq")}
# What the server writes, not the author.
SERVERS = ("managedFields", "creationTimestamp", "generation", "selfLink", "uid")


class Loader(yaml.CSafeLoader):
    """PyYAML's C loader with the scalars of JSON."""


Loader.yaml_implicit_resolvers = {}
Loader.add_implicit_resolver(
    _TAG + "bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)
Loader.add_implicit_resolver(
    _TAG + "int",
    re.compile(r"^(?:[-+]?0b[01]+|[-+]?0o?[0-7]+|[-+]?0x[0-9a-fA-F]+|[-+]?(?:0|[1-9][0-9]*))$"),
    list("-+0123456789"),
)
Loader.add_implicit_resolver(
    _TAG + "float",
    re.compile(r"^[-+]?(?:[0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?$"),
    list("-+0123456789."),
)
Loader.add_implicit_resolver(
    _TAG + "null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""]
)


class _Dumper(yaml.CSafeDumper):
    """Block style; texts of several lines as blocks."""


def _text(dumper: yaml.CSafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar(_TAG + "str", text, style=style)


_Dumper.add_representer(str, _text)
for _first, _scalars in Loader.yaml_implicit_resolvers.items():
    for _tag, _grammar in _scalars:
        # A text that would be read as another scalar ("1e3", a commit's hash) needs quotes.
        _Dumper.add_implicit_resolver(_tag, _grammar, [_first])


@dataclass(frozen=True)
class Problem:
    """What is wrong with a text: in which document and line (from 1; 0: the whole)."""

    document: int
    line: int
    what: str

    def __str__(self) -> str:
        if not self.document:
            return self.what
        return _("Document %(document)d, line %(line)d: %(what)s") % {
            "document": self.document,
            "line": self.line,
            "what": self.what,
        }


class Refused(ValueError):
    """A text that cannot be used, with every problem that was found in it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(" ".join(str(problem) for problem in problems))
        self.problems = problems


@dataclass(frozen=True)
class Manifest:
    """One object of a text: where it stands, and what it is."""

    document: int
    line: int
    body: JSON

    @property
    def api_version(self) -> str:
        """Such as "apps/v1"."""
        return str(self.body["apiVersion"])

    @property
    def kind(self) -> str:
        """Such as "Deployment"."""
        return str(self.body["kind"])

    @property
    def name(self) -> str:
        """The object's name."""
        return str(self.body["metadata"]["name"])

    @property
    def namespace(self) -> str:
        """The namespace that it names itself, or the empty text."""
        return str(self.body["metadata"].get("namespace") or "")

    @property
    def group(self) -> str:
        """The API group, empty for the core group."""
        return self.api_version.rpartition("/")[0]


def read(text: str) -> list[Manifest]:
    """The objects of a text, in its order; a List counts as what it holds.

    Raises Refused with each problem's document and line.
    """
    problems: list[Problem] = []
    found: dict[tuple[str, ...], Manifest] = {}
    number = 0
    for document, line, value in _documents(text):
        for body in _items(value):
            number += 1
            if number > MOST_DOCUMENTS:
                # One List may hold tens of thousands: no more of them is looked at.
                raise Refused([_too_many(), *problems][:50])
            if wrong := _wrong(body):
                problems.append(Problem(document, line, wrong))
                continue
            # What an apply must not carry is in every text that was read from a cluster.
            manifest = Manifest(document, line, bare(body))
            same = found.setdefault(_key(manifest), manifest)
            if same is not manifest:
                problems.append(
                    Problem(
                        document,
                        line,
                        _("%(kind)s %(name)s is in document %(other)d already.")
                        % {"kind": manifest.kind, "name": manifest.name, "other": same.document},
                    )
                )
    if not number:
        problems.append(Problem(0, 0, _("There is no object in this text.")))
    if problems:
        raise Refused(problems[:50])
    return list(found.values())


def read_one(text: str) -> JSON:
    """The single object of a text as it stands there. Raises Refused."""
    values = [(line, value) for _document, line, value in _documents(text)]
    if len(values) != 1:
        raise Refused([Problem(0, 0, _("There must be exactly one object in this text."))])
    line, value = values[0]
    if wrong := _wrong(value):
        raise Refused([Problem(1, line, wrong)])
    return dict(value)


def dump(value: Any) -> str:
    """A value as YAML, keys in their order."""
    return str(
        yaml.dump(
            value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False,
            width=100_000,
        )
    )  # fmt: skip


def difference(before: JSON | None, after: JSON | None) -> str:
    """A unified diff of two objects as YAML, without what only servers write; "" when equal.

    The values of Secrets are masked; one that changes is still a changed line.
    """
    old, new = _shown(before), _shown(after)
    if old is not None and new is not None:
        _mask_pair(old, new)
    else:
        for one in (old, new):
            if one is not None:
                _mask_pair(one, {})
    left, right = (dump(one).splitlines() if one is not None else [] for one in (old, new))
    return "\n".join(line_diff(left, right))


def bare(body: JSON) -> JSON:
    """A copy without status and without what the server keeps of its own (managedFields, …)."""
    found = copy.deepcopy(body)
    found.pop("status", None)
    metadata = found.get("metadata")
    if isinstance(metadata, dict):
        for name in SERVERS:
            metadata.pop(name, None)
    return found


def is_secret(body: JSON) -> bool:
    """Whether an object's values must not be shown: a core Secret."""
    return body.get("kind") == "Secret" and body.get("apiVersion") == "v1"


def _shown(body: JSON | None) -> JSON | None:
    if body is None:
        return None
    found = bare(body)
    (found.get("metadata") or {}).pop("resourceVersion", None)
    return found


def _mask_pair(old: JSON, new: JSON) -> None:
    """Mask values of Secrets in both; where they differ the masks differ too."""
    for part in ("data", "stringData"):
        sides = [one[part] if isinstance(one.get(part), dict) else {} for one in (old, new)]
        if not (is_secret(old) or is_secret(new)):
            return
        for key in {*sides[0], *sides[1]}:
            same = sides[0].get(key) == sides[1].get(key)
            for side, word in zip(sides, ("", "" if same else _(" (new value)")), strict=True):
                if key in side:
                    side[key] = MASK + word
    for one in (old, new):
        annotations = (one.get("metadata") or {}).get("annotations") or {}
        if LAST_APPLIED in annotations:
            annotations[LAST_APPLIED] = MASK


def _documents(text: str) -> Iterator[tuple[int, int, Any]]:
    """Number, first line and value of each document that is not empty. Raises Refused."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise Refused([Problem(0, 0, _("This is no text in UTF-8."))]) from None
    if size > MOST_BYTES:
        raise Refused([Problem(0, 0, _("This is more than 1 MiB of YAML."))])
    _check_events(text)
    loader = Loader(text)
    number = 0
    try:
        while loader.check_node():
            number += 1
            node = loader.get_node()
            if node is None:
                continue
            line = node.start_mark.line + 1
            value = _value(loader, node, number)
            if value is not None:
                yield number, line, value
    except yaml.YAMLError as error:
        raise _unreadable(error, number) from None
    finally:
        loader.dispose()


def _check_events(text: str) -> None:
    """Limits that must hold before anything is built of a text. Raises Refused."""
    number = depth = line = 0
    try:
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else line
            if isinstance(event, yaml.DocumentStartEvent):
                number += 1
                if number > MOST_DOCUMENTS:
                    raise Refused([_too_many()])
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                what = _("Aliases and anchors (& and *) are not taken: write the value out.")
                raise Refused([Problem(number, line, what)])
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
                if depth > MOST_LEVELS:
                    what = _("This is nested more than %(most)d levels deep.")
                    raise Refused([Problem(number, line, what % {"most": MOST_LEVELS})])
            if isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
    except yaml.YAMLError as error:
        raise _unreadable(error, max(number, 1)) from None


def _value(loader: Loader, node: yaml.Node, document: int) -> Any:
    if node.tag not in _TAGS:
        what = _("The tag %(tag)s is not taken.") % {"tag": node.tag[:80]}
        raise Refused([Problem(document, node.start_mark.line + 1, what)])
    if isinstance(node, yaml.SequenceNode):
        return [_value(loader, item, document) for item in node.value]
    if not isinstance(node, yaml.MappingNode):
        try:
            return loader.construct_object(node)
        except ValueError:  # an integer of thousands of digits, "!!int x"
            what = _("“%(value)s” is no value of its type.") % {"value": str(node.value)[:40]}
            raise Refused([Problem(document, node.start_mark.line + 1, what)]) from None
    found: JSON = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise Refused([Problem(document, line, _("A key must be a text."))])
        key = key_node.value
        if key in found:
            what = _("The key “%(key)s” is there twice.") % {"key": key[:80]}
            raise Refused([Problem(document, line, what)])
        found[key] = _value(loader, value_node, document)
    return found


def _unreadable(error: yaml.YAMLError, document: int) -> Refused:
    mark = getattr(error, "problem_mark", None)
    what = getattr(error, "problem", None) or str(error)
    line = mark.line + 1 if mark else 1
    problem = Problem(max(document, 1), line, _("This is no YAML: %(why)s.") % {"why": what})
    return Refused([problem])


def _too_many() -> Problem:
    return Problem(0, 0, _("These are more than %(most)d objects.") % {"most": MOST_DOCUMENTS})


def _items(value: Any) -> list[Any]:
    if isinstance(value, dict) and value.get("kind") == "List" and value.get("apiVersion") == "v1":
        items = value.get("items")
        return items if isinstance(items, list) else []
    return [value]


def _wrong(body: Any) -> str:
    """Why this is no object of the API, or the empty text."""
    if not isinstance(body, dict):
        return _("This is no object: it has no apiVersion and kind.")
    for field, grammar in (("apiVersion", _API_VERSION), ("kind", _KIND)):
        value = body.get(field)
        if not isinstance(value, str) or not grammar.fullmatch(value):
            return _("%(field)s is missing or not right.") % {"field": field}
    metadata = body.get("metadata")
    if not isinstance(metadata, dict):
        return _("metadata is missing.")
    name = metadata.get("name")
    if not isinstance(name, str) or not _PART.fullmatch(name) or name in (".", ".."):
        return _("metadata.name is missing or not right (generateName cannot be applied).")
    namespace = metadata.get("namespace")
    if namespace is not None and (
        not isinstance(namespace, str) or not _PART.fullmatch(namespace) or len(namespace) > 63
    ):
        return _("metadata.namespace is not right.")
    return ""


def _key(manifest: Manifest) -> tuple[str, ...]:
    return manifest.group, manifest.kind, manifest.namespace, manifest.name
