"""The machine's own apt configuration tells where Debian is to be had."""

from __future__ import annotations

import pytest

from lab import apt
from lab.errors import LabError

STANZA = """\
MetaKey: main/binary-amd64/Packages
Description: {uri} {release} main
 a line that goes on
URI: {uri}dists/{release}/main/binary-amd64/Packages
Codename: {release}
Origin: {origin}
Component: main
Created-By: {kind}
Release: {release}
Repo-URI: {uri}
"""


def targets(*rows: tuple[str, str, str], kind: str = "Packages") -> str:
    return "\n".join(
        STANZA.format(uri=uri, release=release, origin=origin, kind=kind)
        for uri, release, origin in rows
    )


def test_stanzas_are_split_at_blank_lines() -> None:
    stanzas = apt.parse_targets("A: 1\nB: x: y\n\n\nA: 2\n")
    assert stanzas == [{"A": "1", "B": "x: y"}, {"A": "2"}]


def test_debian_comes_in_the_order_main_updates_security_and_others_are_left_out() -> None:
    text = targets(
        ("http://sec.example/debian-security/", "bookworm-security", "Debian"),
        ("http://node.example/", "nodistro", "Node"),
        ("http://deb.example/debian/", "bookworm-updates", "Debian"),
        ("http://deb.example/debian/", "bookworm", "Debian"),
    )
    assert [(s.uri, s.suite) for s in apt.debian_sources(text)] == [
        ("http://deb.example/debian/", "bookworm"),
        ("http://deb.example/debian/", "bookworm-updates"),
        ("http://sec.example/debian-security/", "bookworm-security"),
    ]


def test_a_newer_debian_uses_its_own_mirror_for_our_release() -> None:
    text = targets(("http://deb.example/debian/", "trixie", "Debian"))
    assert [s.suite for s in apt.debian_sources(text)] == ["bookworm"]


def test_a_machine_that_never_updated_its_lists_is_understood() -> None:
    text = targets(("http://deb.example/debian/", "bookworm", ""))
    assert [s.uri for s in apt.debian_sources(text)] == ["http://deb.example/debian/"]


def test_sources_and_foreign_pockets_are_no_packages() -> None:
    assert apt.debian_sources(targets(("http://a/", "bookworm", "Debian"), kind="Sources")) == []
    assert apt.debian_sources(targets(("http://a/", "bookworm-backports", "Debian"))) == []


def test_lines_of_a_sources_list() -> None:
    assert apt.Source("http://a/", "bookworm").line() == "deb http://a/ bookworm main"
    signed = apt.Source("http://a/", "bookworm", "/k.gpg")
    assert signed.line("deb-src") == "deb-src [signed-by=/k.gpg] http://a/ bookworm main"


def test_a_mirror_can_be_named() -> None:
    assert apt.machine_sources({"FLOTILLA_DEBIAN_MIRROR": "http://m/"}) == [
        apt.Source("http://m/", "bookworm")
    ]


def test_no_debian_mirror_is_an_error_that_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "run", lambda *a, **k: "")
    with pytest.raises(LabError) as error:
        apt.machine_sources({})
    assert "FLOTILLA_DEBIAN_MIRROR" in error.value.mend
