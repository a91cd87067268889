"""Quoting: whatever the text, the shell sees exactly one word with exactly that text."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioning import shell

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=80)


@settings(max_examples=40, deadline=None)
@given(st.lists(TEXT, min_size=1, max_size=6))
def test_the_shell_gets_each_word_as_it_was(words: list[str]) -> None:
    script = shell.command("printf", "%s\\0", *words)
    out = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout
    assert out.decode().split("\0")[:-1] == words


def test_injection_stays_text(tmp_path: object) -> None:
    evil = "a'; touch /tmp/flotilla-evil; $(id) `id` \\"
    done = subprocess.run(
        ["/bin/sh", "-c", f"printf %s {shell.quote(evil)}"], capture_output=True, check=True
    )
    assert done.stdout.decode() == evil


def test_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        shell.quote("a\0b")


@pytest.mark.parametrize("name", ["", "-a", "a-", "A", "a.b", "a b", "a" * 64, "ä", "a\n", "a;b"])
def test_names_that_are_no_dns_labels(name: str) -> None:
    with pytest.raises(ValueError, match="DNS label"):
        shell.label(name)


@pytest.mark.parametrize("path", ["etc/x", "/etc/../x", "/etc/x y", "/etc/$(id)", "/a//b", "/a\nb"])
def test_paths_that_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"path|leads"):
        shell.path(path)


def test_grammars_take_what_is_right() -> None:
    assert shell.label("node-1") == "node-1"
    assert shell.path("/etc/kubernetes/pki/ca.crt") == "/etc/kubernetes/pki/ca.crt"
    assert shell.unit("kube-apiserver.service") == "kube-apiserver.service"
    assert shell.sysctl("net.ipv4.ip_forward") == "net.ipv4.ip_forward"
    assert shell.address("10.80.0.11") == "10.80.0.11"
    with pytest.raises(ValueError, match="host bits"):
        shell.network("10.80.0.11/24")
