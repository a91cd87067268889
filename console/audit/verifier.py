#!/usr/bin/env python3
"""Checks an export of Flotilla's audit log, without Flotilla.

    python3 verifier.py EXPORT.jsonl [--key VKEY] [--checkpoints FILE]
    python3 verifier.py EXPORT.zip   (a table of CSV with its manifest)

An archive (audit-….jsonl.gz) is checked in the same way.

Needs Python 3.11 and the package `cryptography`, nothing else; docs/audit.md describes the
formats well enough to write another one. The console itself uses the same functions.

--key: the public key that you trust, as the console's page shows it; without it the export is
only compared with itself. --checkpoints: what a witness has kept, one after another.
Ends with 0 when all is well, 1 when something was altered (each in a line), 2 when the file
could not be read.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import gzip
import hashlib
import json
import sys
import zipfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

EXPORT_FORMAT = 1
CSV_FORMAT = 1
CSV_FILE, MANIFEST_FILE = "events.csv", "manifest.json"
# More is no manifest that a console wrote.
MANIFEST_LIMIT = 16 << 20
EMPTY_ROOT = hashlib.sha256(b"").digest()
_ED25519 = b"\x01"
# One for all: json.dumps makes a new one for each text.
_quoted = json.JSONEncoder(ensure_ascii=False).encode


class NoteError(ValueError):
    """A checkpoint, key or signature that is not what it should be."""


# Canonical form and Merkle tree (RFC 6962, 2.1) -----------------------------------------------


def canonical(value: Any) -> str:
    """JSON with sorted keys (by code point), no white space, and one spelling for each number.

    Strings are escaped as little as JSON allows. A number is written as its exact decimal
    value without exponent, sign of zero and needless zeros: 1.50 is 1.5, 1e3 is 1000.
    """
    if isinstance(value, str):
        return _quoted(str(value))
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, Mapping):
        pairs = sorted((str(name), item) for name, item in value.items())
        return "{" + ",".join(f"{canonical(n)}:{canonical(v)}" for n, v in pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(canonical(item) for item in value) + "]"
    raise TypeError(f"{type(value).__name__} has no canonical form")


def _number(value: float) -> str:
    text = format(Decimal(repr(value)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def content(event: Mapping[str, Any]) -> bytes:
    """The bytes of an event that are hashed and stamped."""
    # A lone surrogate that an old event may hold is no UTF-8; it keeps three bytes of its own.
    return canonical(event).encode("utf-8", "surrogatepass")


def leaf_hash(data: bytes) -> bytes:
    """Hash of a leaf (32 bytes)."""
    return hashlib.sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of two subtrees (32 bytes)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(size: int) -> int:
    """The largest power of two below size (size > 1)."""
    return 1 << ((size - 1).bit_length() - 1)


@dataclass
class Frontier:
    """The tree's right edge, to which leaves are added one by one.

    peaks: (height, hash) of the complete subtrees, the largest first.
    """

    size: int = 0
    peaks: list[tuple[int, bytes]] = field(default_factory=list)

    def add(self, leaf: bytes) -> None:
        """One more leaf, given by its hash."""
        height, top = 0, leaf
        while self.peaks and self.peaks[-1][0] == height:
            height, top = height + 1, node_hash(self.peaks.pop()[1], top)
        self.peaks.append((height, top))
        self.size += 1

    def root(self) -> bytes:
        """Hash of the tree as it is now."""
        if not self.peaks:
            return EMPTY_ROOT
        root = self.peaks[-1][1]
        for _height, peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_from_inclusion(position: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes:
    """The root that follows from a leaf and its proof (RFC 9162, 2.1.3.2).

    Raises NoteError when the proof has the wrong length for this position and size.
    """
    if not 0 <= position < size:
        raise NoteError(f"position {position} is not in a tree of {size}")
    here, last, result = position, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise NoteError("the proof is too long")
        if here & 1 or here == last:
            result = node_hash(sibling, result)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            result = node_hash(result, sibling)
        here, last = here >> 1, last >> 1
    if last:
        raise NoteError("the proof is too short")
    return result


def consistent(
    old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]
) -> bool:
    """Whether the tree of old_size is the beginning of the tree of size (RFC 9162, 2.1.4.2)."""
    if old_size in (0, size):
        return not proof and (old_size == 0 or old_root == root)
    if not 0 < old_size < size or not proof:
        return False
    hashes = [old_root, *proof] if old_size & (old_size - 1) == 0 else list(proof)
    here, last = old_size - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    old = new = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if here & 1 or here == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        here, last = here >> 1, last >> 1
    return last == 0 and (old, new) == (old_root, root)


# Signed checkpoints (C2SP signed-note and tlog-checkpoint) -------------------------------------


@dataclass(frozen=True)
class PublicKey:
    """A key that signs checkpoints. name: the log's origin; raw: 32 bytes of Ed25519."""

    name: str
    raw: bytes

    @property
    def hash(self) -> bytes:
        """Four bytes by which signatures name their key."""
        return hashlib.sha256(self.name.encode() + b"\n" + _ED25519 + self.raw).digest()[:4]

    def __str__(self) -> str:
        return f"{self.name}+{self.hash.hex()}+{_base64(_ED25519 + self.raw)}"

    @classmethod
    def of(cls, text: str) -> PublicKey:
        """The key of a text `name+hash+base64`. Raises NoteError when it is none."""
        parts = text.strip().split("+", 2)
        raw = _bytes(parts[2]) if len(parts) == 3 else b""
        if len(raw) != 33 or raw[:1] != _ED25519:
            raise NoteError(f"{text[:80]!r} is no public key (name+hash+base64)")
        key = cls(parts[0], raw[1:])
        if key.hash.hex() != parts[1]:
            raise NoteError(f"the key {text[:80]!r} has another key's hash: a part of it is wrong")
        return key

    def signed(self, signature: bytes, data: bytes) -> bool:
        """Whether this key made the signature of these bytes."""
        try:
            Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class Checkpoint:
    """A signed statement: the log of this origin had this size and this root."""

    origin: str
    size: int
    root: bytes
    more: tuple[str, ...]
    text: str
    signatures: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def of(cls, note: str) -> Checkpoint:
        """A checkpoint from its text. Raises NoteError when it is none."""
        body, separator, tail = note.partition("\n\n")
        lines = body.split("\n")
        if not separator or len(lines) < 3 or not lines[1].isdecimal():
            raise NoteError("this is no checkpoint: origin, size and root are missing")
        root = _bytes(lines[2])
        if len(root) != 32:
            raise NoteError("the checkpoint's root is not 32 bytes")
        found = []
        for line in tail.splitlines():
            words = line.split(" ")
            raw = _bytes(words[2]) if len(words) == 3 and words[0] == "—" else b""
            if len(raw) != 68:
                raise NoteError("a signature of the checkpoint is damaged")
            found.append((raw[:4], raw[4:]))
        return cls(lines[0], int(lines[1]), root, tuple(lines[3:]), body + "\n", tuple(found))

    def signer(self, keys: Iterable[PublicKey]) -> PublicKey | None:
        """The key among these that signed it, or None."""
        for key in keys:
            for name, signature in self.signatures:
                if name == key.hash and key.signed(signature, self.text.encode()):
                    return key
        return None

    def line(self, word: str) -> str:
        """What follows a word among the further lines (time, adopted); empty when not there."""
        for line in self.more:
            if line.startswith(f"{word} "):
                return line[len(word) + 1 :]
        return ""


def checkpoint_text(origin: str, size: int, root: bytes, more: Sequence[str] = ()) -> str:
    """The text of a checkpoint that is to be signed."""
    return "\n".join([origin, str(size), _base64(root), *more]) + "\n"


def signed_note(text: str, key: PublicKey, signature: bytes) -> str:
    """The text with a signature of it (64 bytes)."""
    return f"{text}\n— {key.name} {_base64(key.hash + signature)}\n"


def witnessed(text: str) -> list[Checkpoint]:
    """The checkpoints of a witness's file, one after another with blank lines between them.

    What a killed writer left unfinished is passed over: it is there once more behind it.
    """
    found: list[Checkpoint] = []
    body = ""
    for block in text.split("\n\n"):
        part = block.strip("\n")
        if part.startswith("— ") and body:
            try:
                found.append(Checkpoint.of(f"{body}\n\n{part}\n"))
            except NoteError:
                body = ""
        body = part
    return found


def succession_text(origin: str, old: PublicKey, new: PublicKey) -> bytes:
    """What both keys sign when one takes over from the other."""
    return f"flotilla audit key succession\n{origin}\n{old}\n{new}\n".encode()


def trusted(keys: Sequence[Mapping[str, str]], known: Iterable[PublicKey]) -> list[PublicKey]:
    """Known keys, and those that these vouch for, forwards and backwards.

    keys: {"key": vkey, "previous": vkey or "", "by_previous": base64, "by_itself": base64}.
    """
    found = {str(key): key for key in known}
    grew = True
    while grew:
        grew = False
        for row in keys:
            if not row["previous"]:
                continue
            old, new = PublicKey.of(row["previous"]), PublicKey.of(row["key"])
            text = succession_text(new.name, old, new)
            for voucher, other, signature in (
                (old, new, row["by_previous"]),
                (new, old, row["by_itself"]),
            ):
                vouched = str(voucher) in found and str(other) not in found
                if vouched and voucher.signed(_bytes(signature), text):
                    found[str(other)] = other
                    grew = True
    return list(found.values())


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


# An export --------------------------------------------------------------------------------------


def check_export(
    lines: Iterable[str], known: Sequence[PublicKey], seen_outside: Sequence[Checkpoint] = ()
) -> tuple[dict[str, Any], list[str]]:
    """What an export says about itself, and what is wrong with it.

    lines: header, events, manifest, each one JSON object. known: keys that are trusted;
    without any those of the manifest are. Raises NoteError when it is no export.
    """
    rows = iter(lines)
    header = _object(next(rows, ""))
    if header.get("flotilla_audit_export") != EXPORT_FORMAT:
        raise NoteError("this is no export of an audit log of format 1")
    wrong: list[str] = []
    digest, count, partly, tree = hashlib.sha256(), 0, 0, _beginning(header)
    hashes: list[tuple[int, bytes, list[bytes]]] = []
    manifest: dict[str, Any] | None = None
    marks = {c.size: c for c in seen_outside}
    for line in rows:
        row = _object(line)
        if "manifest" in row:
            manifest = row
            break
        digest.update(line.rstrip("\r\n").encode("utf-8", "surrogatepass") + b"\n")
        count += 1
        if row.get("withheld"):
            partly, leaf = partly + 1, _bytes(row.get("leaf", ""))
            if header["complete"]:
                wrong.append(f"position {row['position']}: fields of it were taken out")
        else:
            leaf = leaf_hash(content(row["event"]))
        if header["complete"]:
            if row["position"] != tree.size:
                wrong.append(f"position {tree.size}: missing, {row['position']} comes instead")
            tree.add(leaf)
            if (seen := marks.get(tree.size)) and seen.root != tree.root():
                wrong.append(f"the witness's checkpoint of {tree.size} events has another root")
        elif leaf:
            hashes.append((row["position"], leaf, [_bytes(one) for one in row["proof"]]))
    if manifest is None:
        raise NoteError("the export has no manifest: its end is missing")
    if (
        manifest["manifest"]["sha256"] != digest.hexdigest()
        or manifest["manifest"]["count"] != count
    ):
        wrong.append(f"the manifest does not fit: {count} events, another digest or count")
    wrong += _check_manifest(header, manifest, known, tree, hashes)
    wrong += _check_witness(header, manifest, seen_outside)
    told = {"count": count, "withheld": partly, "complete": header["complete"]}
    told["start"] = header.get("start", 0)
    return manifest["manifest"] | told, wrong


def _beginning(header: Mapping[str, Any]) -> Frontier:
    """The tree of what comes before the first event, which archives hold: only its hashes."""
    start, before = header.get("start", 0), header.get("before", [])
    heights = [h for h in range(start.bit_length() - 1, -1, -1) if start >> h & 1]
    hashes = [_bytes(one) for one in before]
    if start < 0 or len(hashes) != len(heights) or any(len(one) != 32 for one in hashes):
        raise NoteError(f"the hashes of what comes before position {start} are not there")
    return Frontier(start, list(zip(heights, hashes, strict=True)))


def check_table(
    archive: zipfile.ZipFile, known: Sequence[PublicKey], seen_outside: Sequence[Checkpoint] = ()
) -> tuple[dict[str, Any], list[str]]:
    """What a table of CSV says about itself, and what is wrong with it.

    The signature is over the table as a whole; it proves no event by itself. Raises NoteError
    when it is no such table.
    """
    try:
        info, table = archive.getinfo(MANIFEST_FILE), archive.getinfo(CSV_FILE)
    except KeyError as error:
        raise NoteError(f"this is no table of an audit log: {error}") from None
    if info.file_size > MANIFEST_LIMIT:
        raise NoteError("the manifest is too long to be one")
    row = _object(archive.read(info).decode("utf-8", "surrogatepass"))
    header, manifest = row["header"], row["manifest"]
    if header.get("flotilla_audit_csv") != CSV_FORMAT:
        raise NoteError("this is no table of an audit log of format 1")
    digest, wrong = hashlib.sha256(), []
    with archive.open(table) as data:
        while part := data.read(1 << 20):
            digest.update(part)
    if manifest["sha256"] != digest.hexdigest():
        wrong.append(f"the manifest does not fit: {CSV_FILE} was altered")
    # The header says "complete: false": it makes no tree, so no events are compared with one.
    wrong += _check_manifest(header, row, known, Frontier(), [])
    wrong += _check_witness(header, row, seen_outside)
    return manifest | {"complete": False}, wrong


def _check_manifest(
    header: Mapping[str, Any],
    row: Mapping[str, Any],
    known: Sequence[PublicKey],
    tree: Frontier,
    hashes: Sequence[tuple[int, bytes, list[bytes]]],
) -> list[str]:
    manifest, wrong = row["manifest"], []
    told = [PublicKey.of(one["key"]) for one in manifest["keys"]]
    keys = trusted(manifest["keys"], known or told)
    text = canonical({"header": header, "manifest": manifest}).encode("utf-8", "surrogatepass")
    if not any(key.signed(_bytes(row["signature"]), text) for key in keys):
        wrong.append("the manifest's signature is not by a key that is trusted")
    point = Checkpoint.of(manifest["checkpoint"])
    if point.signer(keys) is None:
        wrong.append(f"the checkpoint of {point.size} events is not signed by a trusted key")
    if header["complete"] and (tree.size, tree.root()) != (point.size, point.root):
        wrong.append(
            f"the events do not make the tree of the checkpoint ({tree.size} events, "
            f"the checkpoint has {point.size}): events were altered, removed, added or reordered"
        )
    for position, leaf, proof in hashes:
        try:
            right = root_from_inclusion(position, point.size, leaf, proof) == point.root
        except NoteError:
            right = False
        if not right:
            wrong.append(f"position {position}: the event is not what the checkpoint covers")
    return wrong


def _check_witness(
    header: Mapping[str, Any], row: Mapping[str, Any], seen_outside: Sequence[Checkpoint]
) -> list[str]:
    point = Checkpoint.of(row["manifest"]["checkpoint"])
    wrong = []
    for seen in seen_outside:
        if seen.origin != point.origin:
            wrong.append(f"the witness's checkpoint is of another log ({seen.origin})")
        elif seen.size > point.size and not header.get("archive"):  # an archive ends early
            wrong.append(f"the witness has seen {seen.size} events, the export knows {point.size}")
        elif seen.size == point.size and seen.root != point.root:
            wrong.append(f"the witness's checkpoint of {seen.size} events has another root")
    return wrong


def _object(line: str) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        raise NoteError(f"a line of the export is no JSON: {line[:60]!r}") from None
    if not isinstance(row, dict):
        raise NoteError(f"a line of the export is no object: {line[:60]!r}")
    return row


def opened(path: Path) -> TextIO:
    """The lines of an export, or of an archive, which is packed (.gz). Raises OSError."""
    if path.suffix == ".gz":
        return cast(TextIO, gzip.open(path, "rt", encoding="utf-8", newline="\n"))
    return path.open(encoding="utf-8", newline="\n")


def _say(text: str, out: TextIO | None = None) -> None:
    (out or sys.stdout).write(f"{text}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run from a command line; see the top of this file."""
    parser = argparse.ArgumentParser(description="Check an export of Flotilla's audit log.")
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", action="append", default=[], help="a public key that you trust")
    parser.add_argument("--checkpoints", type=Path, help="the file of a witness")
    given = parser.parse_args(arguments)
    try:
        known = [PublicKey.of(text) for text in given.key]
        kept = given.checkpoints.read_text(encoding="utf-8") if given.checkpoints else ""
        table = zipfile.is_zipfile(given.export)
        if table:
            with zipfile.ZipFile(given.export) as archive:
                told, wrong = check_table(archive, known, witnessed(kept))
        else:
            with opened(given.export) as lines:
                told, wrong = check_export(lines, known, witnessed(kept))
    except (
        OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, zipfile.BadZipFile,
    ) as error:  # fmt: skip
        _say(f"{given.export}: cannot be checked: {error}", sys.stderr)
        return 2
    for text in wrong:
        _say(f"WRONG: {text}")
    if not known:
        _say("No key was given (--key): the export was only compared with itself.")
    if told.get("withheld"):
        _say(
            f"{told['withheld']} events are without fields that the reader may not see: for what "
            "is left of them there is the manifest's signature alone."
        )
    if not wrong and table:
        _say(f"The table of {told['count']} events is as the console wrote it, from what this")
        _say("checkpoint covers. (Only JSON Lines proves each event by itself.) It reads:")
        _say(told["checkpoint"])
    elif not wrong:
        if told["start"]:
            _say(f"From position {told['start']} on; earlier ones are in earlier archives.")
        _say(f"{told['count'] - told['withheld']} events are what the checkpoint covers. It reads:")
        _say(told["checkpoint"])
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
