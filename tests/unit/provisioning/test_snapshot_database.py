"""The revision in an etcd database: found in real ones, and raised by sixteen bytes."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.snapshots_database import (
    FINISHED,
    HIGHEST,
    SCHEDULED,
    Database,
    DatabaseError,
    Patch,
    patched,
)

# Written by etcd 3.4.23: 60 writes, compacted at revision 1; as `snapshot save` gives it.
REAL = gzip.decompress((Path(__file__).parent / "etcd-3.4.23.db.gz").read_bytes())


def database(data: bytes) -> Database:
    return Database(lambda offset, size: data[offset : offset + size])


def test_the_last_compaction_of_a_real_database_is_found() -> None:
    found = database(REAL).compaction()
    assert {name: at for name, (_offset, at) in found.items()} == {FINISHED: 1, SCHEDULED: 1}
    for name, (offset, _at) in found.items():
        assert REAL[offset - len(name) : offset] == name


def test_raising_changes_sixteen_bytes_and_nothing_else() -> None:
    patches = database(REAL).raised(10**9 + 61)
    raised = patched(0, REAL, patches)
    assert len(raised) == len(REAL)
    changed = [i for i in range(len(REAL)) if raised[i] != REAL[i]]
    inside = {i for patch in patches for i in range(patch.offset, patch.offset + 8)}
    assert changed and set(changed) <= inside
    found = database(raised).compaction()
    assert {at for _offset, at in found.values()} == {10**9 + 61}


@pytest.mark.parametrize("revision", [-1, 0, 1, HIGHEST + 1, 2**63])
def test_revisions_that_would_go_back_or_run_out_are_refused(revision: int) -> None:
    with pytest.raises(ValueError, match="no revision"):
        database(REAL).raised(revision)


def test_a_database_that_was_never_compacted_says_so() -> None:
    never = REAL.replace(FINISHED, b"finishedSomethingX")
    with pytest.raises(DatabaseError, match="no finished compaction"):
        database(never).raised(100)


def test_the_newer_of_the_two_meta_pages_counts_and_a_torn_one_does_not() -> None:
    for page in (0, 4096):
        torn = bytearray(REAL)
        torn[page + 40] ^= 0xFF
        try:
            database(bytes(torn)).compaction()
        except DatabaseError as error:
            assert "meta" in str(error)  # the older state had no such bucket yet
    both = bytearray(REAL)
    both[40] ^= 0xFF
    both[4096 + 40] ^= 0xFF
    with pytest.raises(DatabaseError, match="does not begin"):
        database(bytes(both))


@given(st.binary(max_size=300))
def test_any_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    with pytest.raises(DatabaseError):
        database(data)


@given(st.integers(8192, len(REAL) - 1), st.binary(min_size=1, max_size=40))
def test_pages_that_make_no_sense_never_do_harm(at: int, junk: bytes) -> None:
    data = REAL[:at] + junk + REAL[at + len(junk) :]
    try:
        found = database(data).compaction()
    except DatabaseError:
        return
    for offset, _revision in found.values():
        assert 0 <= offset <= len(data) - 17


@given(st.integers(0, 200), st.lists(st.integers(1, 50), min_size=1, max_size=20))
def test_patches_fall_where_they_belong_however_the_file_is_cut(at: int, cuts: list[int]) -> None:
    content = bytes(range(256))
    patches = [Patch(at, b"\xff" * 8), Patch(at + 20, struct.pack(">Q", 7))]
    expected = bytearray(content)
    for patch in patches:
        expected[patch.offset : patch.offset + 8] = patch.data
    made, offset, number = b"", 0, 0
    while offset < len(content):
        chunk = content[offset : offset + cuts[number % len(cuts)]]
        made += patched(offset, chunk, patches)
        offset, number = offset + len(chunk), number + 1
    assert made == bytes(expected)[: len(content)]
