"""Whatever bytes a host sends, lines come out: none lost, characters whole."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from provisioning.lines import LINE_CHARACTERS, LineSplitter


def split(pieces: list[bytes], nonce: str = "") -> list[str]:
    splitter = LineSplitter(nonce)
    lines = [line for piece in pieces for line in splitter.feed(piece)]
    return lines + splitter.end()


def cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(p % (len(data) + 1) for p in places), len(data)]
    return [data[a:b] for a, b in pairwise(edges)]


@given(
    st.text(st.characters(exclude_characters="\r\x00", exclude_categories=["Cs"])),
    st.lists(st.integers(0, 5000)),
)
def test_text_comes_out_whole_wherever_the_chunks_are_cut(text: str, places: list[int]) -> None:
    lines = split(cut(text.encode(), places))
    assert "\n".join(lines) == text.removesuffix("\n")


@given(st.binary(), st.lists(st.integers(0, 5000)))
def test_any_bytes_give_lines_that_can_be_stored(data: bytes, places: list[int]) -> None:
    for line in split(cut(data, places)):
        line.encode()
        assert "\n" not in line and "\x00" not in line
        assert len(line) <= LINE_CHARACTERS


def test_chinese_split_over_two_chunks_stays_chinese() -> None:
    data = "节点已就绪\n".encode()
    assert split([data[:4], data[4:5], data[5:]]) == ["节点已就绪"]


def test_broken_utf8_becomes_replacement_characters() -> None:
    assert split([b"ok \xff\xfe end\n"]) == ["ok \ufffd\ufffd end"]


def test_a_line_of_ten_megabytes_is_cut_and_nothing_is_lost() -> None:
    pieces = [b"x" * 100_000] * 100
    lines = split([*pieces, b"\nnext\n"])
    assert lines[-1] == "next"
    assert sum(map(len, lines[:-1])) == 10_000_000
    assert max(map(len, lines)) <= LINE_CHARACTERS


def test_events_are_never_cut() -> None:
    event = "abcd1234 prior " + "y" * 50_000
    assert split([event[:20_000].encode(), event[20_000:].encode() + b"\n"], "abcd1234") == [event]


def test_windows_line_ends_go_and_progress_bars_stay() -> None:
    assert split([b"one\r\n10%\r20%\r100%\n"]) == ["one", "10%\r20%\r100%"]
