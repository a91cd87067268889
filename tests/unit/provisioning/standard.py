"""A standard cluster as data: three control planes with a VIP, one worker."""

from __future__ import annotations

from dataclasses import replace

from provisioning.facts import Facts
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Context
from provisioning.steps.certificates import Certificates
from tests.unit.provisioning.conftest import facts_of, make_spec

VIP = "10.80.0.100"


def standard_spec(**changes: object) -> ClusterSpec:
    spec = make_spec(workers=3)
    spec = replace(
        spec,
        profile="standard",
        control_plane=spec.hosts[:3],
        workers=spec.hosts[3:],
        vip=VIP,
        router_id=77,
        endpoint=f"https://{VIP}:8443",
    )
    return replace(spec, **changes)  # type: ignore[arg-type]


def standard_material(spec: ClusterSpec) -> dict[str, str]:
    material: dict[str, str] = {}
    Certificates().run(Context(spec, None, {}, material), lambda _text: None)
    return material


def context(
    spec: ClusterSpec,
    place: int = 0,
    material: dict[str, str] | None = None,
    facts: dict[int, Facts] | None = None,
) -> Context:
    known = facts_of(spec) if facts is None else facts
    return Context(spec, spec.control_plane[place], known, material or {})
