"""Certificates made anew, once; kubelets whose certificate has ended; warnings before."""

from __future__ import annotations

import datetime
import json
import subprocess
import time
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning import pki
from provisioning.facts import CertificateFact, Facts, PathFact
from provisioning.facts_state import KubeletCertificate
from provisioning.recipes.registry import RECIPES
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Context, Step
from provisioning.steps.certificates import Certificates, leaves, needs_bootstrap
from provisioning.steps.compile import compile_script
from provisioning.steps.layout import KUBELET_CERTIFICATE
from provisioning.steps.nodes import Node
from provisioning.steps.renewal import RenewedCertificates
from provisioning.steps.resources import Command, File
from tests.unit.provisioning.conftest import CLUSTER, NONCE, facts_of
from tests.unit.provisioning.standard import context, standard_material, standard_spec

RENEW = RECIPES["renew_certificates"]
NOW = datetime.datetime.now(datetime.UTC)


def asked(*, expired: bool = False, since: datetime.datetime | None = None) -> ClusterSpec:
    since = since or datetime.datetime.now(datetime.UTC)
    return standard_spec(running=True, request={"since": since.isoformat(), "expired": expired})


def aged(material: dict[str, str], days: float) -> dict[str, str]:
    """The material with every leaf ending in so many days, as if made long ago."""
    made = dict(material)
    spec = standard_spec()
    for name, authority, leaf in leaves(spec):
        ca = pki.Pair(made[f"ca/{authority}.crt"], made[f"ca/{authority}.key"])
        pair = pki.new_leaf(ca, leaf, datetime.timedelta(days=days))
        made[f"{name}.crt"], made[f"{name}.key"] = pair.certificate, pair.key
    time.sleep(1.1)  # certificates know whole seconds: what is asked for from now on is later
    return made


@pytest.fixture(scope="module")
def material() -> dict[str, str]:
    return standard_material(standard_spec())


def run(spec: ClusterSpec, material: dict[str, str]) -> list[str]:
    said: list[str] = []
    RenewedCertificates().run(Context(spec, None, known(spec), material), said.append)
    return said


def known(spec: ClusterSpec, ends: float = 9e9) -> dict[int, Facts]:
    certificate = CertificateFact("CN=system:node:x", "CN=kubernetes-ca", 0.0, ends, "a" * 64)
    path = PathFact("link", 0o777, "root:root", 1)
    return {
        number: replace(
            facts, paths={KUBELET_CERTIFICATE: path}, kubelet_certificate=certificate, epoch=1000.0
        )
        for number, facts in facts_of(spec).items()
    }


def test_every_leaf_is_made_anew_and_the_authorities_stay(material: dict[str, str]) -> None:
    old = aged(material, 200)
    made = dict(old)
    said = run(asked(), made)
    signed = {name for name in old if name.endswith(".crt") and not name.startswith("ca/")}
    assert len(said) == len(signed) > 20
    changed = {name for name in old if made[name] != old[name]}
    assert changed == signed | {f"{name.removesuffix('.crt')}.key" for name in signed}
    for name in signed:
        assert pki.expiries({name: made[name]})[0].ends > NOW + datetime.timedelta(days=364)


def test_a_run_that_goes_on_after_a_kill_makes_nothing_twice(material: dict[str, str]) -> None:
    made = aged(material, 200)
    spec = asked()
    run(spec, made)
    once = dict(made)
    assert run(spec, made) == []
    assert made == once
    # A later task is another wish.
    later = NOW + datetime.timedelta(hours=1)
    assert len(run(asked(since=later), made)) > 20


def test_what_ended_is_made_anew_too(material: dict[str, str]) -> None:
    made = aged(material, -0.002)  # three minutes ago
    run(asked(), made)
    assert all(e.ends > NOW for e in pki.expiries(made))


def test_certificates_that_are_good_stay_in_a_repair(material: dict[str, str]) -> None:
    made = aged(material, 200)
    said: list[str] = []
    spec = asked()
    Certificates().run(Context(spec, None, known(spec), made), said.append)
    assert said == []


def phases(expired: bool) -> dict[str, bool]:
    return {p.id: p.rolling for p in RENEW.phases(asked(expired=expired))}


def test_control_planes_roll_unless_their_certificates_have_ended() -> None:
    rolling, together = phases(False), phases(True)
    assert rolling["control-plane"]
    assert "etcd" not in rolling
    assert not any(together.values())
    assert list(together)[:4] == ["certificates", "etcd", "load-balancer", "control-plane"]


@pytest.mark.parametrize("expired", [False, True])
def test_every_script_is_valid_shell(expired: bool, material: dict[str, str]) -> None:
    spec = asked(expired=expired)
    for phase in RENEW.phases(spec):
        for placed in phase.placed:
            if isinstance(placed.step, Step):
                for host in placed.hosts[:1] if placed.anywhere else placed.hosts:
                    facts = known(spec, ends=10.0)
                    made = {**material, "bootstrap.token": "a.b", "bootstrap.expires": "1"}
                    ctx = Context(spec, host, facts, made)
                    text = compile_script(placed.step.resources(ctx), NONCE, CLUSTER).text
                    done = subprocess.run(
                        ["/bin/sh", "-n"], input=text, text=True, capture_output=True, check=False
                    )
                    assert done.returncode == 0, (placed.step.id, done.stderr)


# --- kubelets


def test_a_kubelet_whose_certificate_has_ended_by_its_own_clock_introduces_itself_anew(
    material: dict[str, str],
) -> None:
    spec = asked()
    for ends, anew in ((999.0, True), (1001.0, False)):
        facts = known(spec, ends)
        ctx = context(spec, 0, dict(material), facts)
        assert needs_bootstrap(ctx, spec.hosts[0]) is anew
        made = dict(material)
        made.pop("bootstrap.token")
        Certificates().run(Context(spec, None, facts, made), lambda _text: None)
        assert ("bootstrap.token" in made) is anew
        found = Node().resources(context(spec, 0, {**material, **made}, facts))
        forgets = [r for r in found if isinstance(r, Command) and r.name == "kubelet-forgets"]
        boots = [r for r in found if isinstance(r, File) and "bootstrap" in r.path]
        assert bool(forgets) is bool(boots) is anew


def pem(material: dict[str, str]) -> str:
    name = "hosts/10/kube-proxy"
    return material[f"{name}.crt"] + material[f"{name}.key"]


def test_the_fact_is_the_certificate_and_never_its_key(
    tmp_path: Path, material: dict[str, str]
) -> None:
    path = tmp_path / "kubelet-client-current.pem"
    path.write_text(pem(material))
    prints = KubeletCertificate.prints.replace(
        "/var/lib/kubelet/pki/kubelet-client-current.pem", str(path)
    )
    assert str(path) in prints
    said = subprocess.run(["/bin/sh", "-c", prints], capture_output=True, text=True, check=True)
    assert "PRIVATE" not in said.stdout
    fact = KubeletCertificate().parse(said.stdout.splitlines())["kubelet_certificate"]
    assert isinstance(fact, CertificateFact)
    assert fact.subject == "CN=system:kube-proxy"
    assert fact.issuer == "CN=kubernetes-ca"
    assert fact.sha256 == sha256(said.stdout.encode()).hexdigest()
    assert fact.ends > NOW.timestamp() + 364 * 86400
    facts = Facts(kubelet_certificate=fact)
    assert Facts.from_json(facts.to_json()) == facts
    older = json.loads(facts.to_json())
    del older["kubelet_certificate"]
    assert Facts.from_json(json.dumps(older)).kubelet_certificate is None


@given(st.lists(st.text(max_size=80), max_size=20))
def test_what_a_host_says_of_its_certificate_is_a_fact_or_nothing(lines: list[str]) -> None:
    found = KubeletCertificate().parse(lines)["kubelet_certificate"]
    assert found is None or isinstance(found, CertificateFact)


@given(st.integers(-400, 400), st.integers(1, 400))
def test_a_leaf_tells_when_it_was_made(hours: int, days: int) -> None:
    authority = pki.new_authority("test", days=3650)
    leaf = pki.new_leaf(authority, pki.Leaf("x"))
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=hours)
    assert pki.issued_since(leaf.certificate, moment) is (hours <= 0)
    assert not pki.issued_since("no certificate", moment)
