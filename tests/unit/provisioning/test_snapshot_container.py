"""The encrypted file of a snapshot: whatever is done to it, it opens as it was or not at all."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning.snapshots_container import CHUNK, MAGIC, Damaged, Reader, Writer, new_key

KEY = bytes(range(32))
CONTEXT = "flotilla snapshot 7/1"
# A few chunks of bytes, described so that an example stays small to show.
CONTENTS = st.builds(
    lambda seed, size: (seed * (size // max(1, len(seed)) + 1))[:size],
    st.binary(min_size=1, max_size=64),
    st.one_of(
        st.integers(0, 5000),
        st.sampled_from([CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 17]),
    ),
)


def sealed(content: bytes, key: bytes = KEY, context: str = CONTEXT, step: int = 77_777) -> bytes:
    out = io.BytesIO()
    writer = Writer(out, key, context)
    for start in range(0, len(content), step):
        writer.write(content[start : start + step])
    writer.close()
    assert writer.stored == len(out.getvalue())
    assert writer.size == len(content)
    return out.getvalue()


def plain(file: bytes, key: bytes = KEY, context: str = CONTEXT) -> bytes:
    return b"".join(Reader(io.BytesIO(file), key, context))


def frames(file: bytes) -> list[bytes]:
    """The chunks with their lengths."""
    found, at = [], len(MAGIC)
    while at < len(file):
        size = int.from_bytes(file[at : at + 4], "big")
        found.append(file[at : at + 4 + size])
        at += 4 + size
    return found


@settings(max_examples=25)
@given(CONTENTS, st.integers(1, 3 * CHUNK))
def test_what_is_read_is_what_was_written(content: bytes, step: int) -> None:
    assert plain(sealed(content, step=step)) == content


@settings(max_examples=25)
@given(CONTENTS, st.integers(0, 4 * CHUNK), st.integers(0, 2 * CHUNK))
def test_any_place_can_be_read(content: bytes, offset: int, size: int) -> None:
    reader = Reader.of(io.BytesIO(sealed(content)), KEY, CONTEXT)
    assert reader.read(offset, size) == content[offset : offset + size]


@settings(max_examples=25)
@given(CONTENTS, st.data())
def test_a_file_that_was_cut_does_not_open(content: bytes, data: st.DataObject) -> None:
    file = sealed(content)
    end = data.draw(st.integers(0, len(file) - 1))
    with pytest.raises(Damaged):
        plain(file[:end])


@settings(max_examples=25)
@given(CONTENTS, st.data())
def test_a_changed_bit_never_goes_unseen(content: bytes, data: st.DataObject) -> None:
    file = bytearray(sealed(content))
    at = data.draw(st.integers(0, len(file) - 1))
    file[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(Damaged):
        plain(bytes(file))


@settings(max_examples=20)
@given(st.permutations(range(4)), st.lists(st.integers(0, 3), max_size=6))
def test_chunks_cannot_be_moved_left_out_or_repeated(order: list[int], chosen: list[int]) -> None:
    # Equal chunks, so that only their place tells them apart.
    file = sealed(b"a" * (4 * CHUNK))
    parts = frames(file)
    assert len(parts) == 4
    for numbers in (order, chosen):
        made = MAGIC + b"".join(parts[n] for n in numbers)
        if made == file:
            continue
        with pytest.raises(Damaged):
            plain(made)


def test_another_key_or_another_files_place_does_not_open_it() -> None:
    file = sealed(b"x" * 100)
    with pytest.raises(Damaged):
        plain(file, new_key())
    with pytest.raises(Damaged):
        plain(file, context="flotilla snapshot 7/2")


def test_chunks_of_two_files_do_not_mix() -> None:
    one, two = sealed(b"a" * (2 * CHUNK)), sealed(b"a" * (2 * CHUNK), key=new_key())
    with pytest.raises(Damaged):
        plain(MAGIC + frames(one)[0] + frames(two)[1])


def test_a_file_that_was_never_closed_does_not_open() -> None:
    out = io.BytesIO()
    Writer(out, KEY, CONTEXT).write(b"x" * (3 * CHUNK))
    with pytest.raises(Damaged):
        plain(out.getvalue())


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_and_nothing_else_happens(data: bytes) -> None:
    for file in (data, MAGIC + data):
        with pytest.raises(Damaged):
            plain(file)


def test_nothing_of_the_content_can_be_read_in_the_file() -> None:
    secret = b"kubernetes.io/service-account-token" + os.urandom(8).hex().encode()
    assert secret not in sealed(secret * 1000)
