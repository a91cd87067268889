"""Who gets which certificate, and the console step that makes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from urllib.parse import urlsplit

from provisioning import pki
from provisioning.facts_state import CertificateFact
from provisioning.spec import ClusterSpec, HostSpec, Material
from provisioning.steps.base import ConsoleStep, Context, PlanItem, Verdict
from provisioning.steps.layout import KUBELET_CERTIFICATE, is_control_plane, service_address
from provisioning.steps.objects import ADMIN_GROUP
from provisioning.steps.resources import File
from provisioning.texts import gettext as _

AUTHORITIES = {
    "kubernetes": "kubernetes-ca",
    "etcd": "etcd-ca",
    "front-proxy": "kubernetes-front-proxy-ca",
}
TOKEN_SECONDS = 24 * 3600
TOKEN_SPARE = 3600  # a token with less than this left is replaced before it is used


def leaves(spec: ClusterSpec) -> Iterator[tuple[str, str, pki.Leaf]]:
    """Every leaf of the cluster: (name in the material, authority, what it is for).

    Subjects: "PKI certificates and requirements" of the Kubernetes documentation.
    """
    # Who the console is to the API server: it watches the nodes (clusters.kube).
    yield "console/client", "kubernetes", pki.Leaf("flotilla:console", (ADMIN_GROUP,))
    # And to etcd, whose members it asks for their health (clusters.kube.members).
    yield "console/etcd-client", "etcd", pki.Leaf("flotilla:console")
    for host in spec.hosts:
        at = f"hosts/{host.id}"
        yield f"{at}/kubelet-serving", "kubernetes", pki.Leaf(
            f"system:node:{host.name}", ("system:nodes",), (host.name,), (host.address,),
            server=True, client=False,
        )  # fmt: skip
        yield f"{at}/kube-proxy", "kubernetes", pki.Leaf("system:kube-proxy")
        if is_control_plane(spec, host):
            yield from _control_plane_leaves(spec, host, at)


def _control_plane_leaves(
    spec: ClusterSpec, host: HostSpec, at: str
) -> Iterator[tuple[str, str, pki.Leaf]]:
    names = ["kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names += ["kubernetes.default.svc.cluster.local", "localhost", host.name]
    addresses = [service_address(spec, 1), "127.0.0.1", host.address]
    entry = urlsplit(spec.endpoint).hostname or ""
    for extra in (entry, spec.vip):
        if extra and extra not in names + addresses:
            (addresses if extra.replace(".", "").isdigit() else names).append(extra)
    serving = pki.Leaf("kube-apiserver", (), tuple(names), tuple(addresses), True, False)
    yield f"{at}/apiserver", "kubernetes", serving
    yield f"{at}/apiserver-kubelet-client", "kubernetes", pki.Leaf("kube-apiserver-kubelet-client")
    yield f"{at}/controller-manager", "kubernetes", pki.Leaf("system:kube-controller-manager")
    yield f"{at}/scheduler", "kubernetes", pki.Leaf("system:kube-scheduler")
    yield f"{at}/admin", "kubernetes", pki.Leaf("kubernetes-admin", ("system:masters",))
    yield f"{at}/front-proxy-client", "front-proxy", pki.Leaf("front-proxy-client")
    member = (host.name, "localhost"), (host.address, "127.0.0.1")
    yield f"{at}/etcd-server", "etcd", pki.Leaf(host.name, (), *member, server=True)
    yield f"{at}/etcd-peer", "etcd", pki.Leaf(host.name, (), *member, server=True)
    yield f"{at}/apiserver-etcd-client", "etcd", pki.Leaf("kube-apiserver-etcd-client")
    if spec.profile == "standard":
        # No group: any user may read /readyz (the role system:public-info-viewer).
        balancer = tuple(dict.fromkeys(a for a in (host.address, spec.vip) if a))
        yield f"{at}/haproxy", "kubernetes", pki.Leaf(
            "haproxy", (), (host.name,), balancer, server=True
        )  # fmt: skip


def pair(material: Material, name: str) -> pki.Pair | None:
    """A certificate with its key out of the material; None when it is not made yet."""
    certificate, key = material.get(f"{name}.crt"), material.get(f"{name}.key")
    return pki.Pair(certificate, key) if certificate and key else None


def pair_files(ctx: Context, name: str, path: str) -> list[File]:
    """The two files of a pair: `path`.crt (0644) and `path`.key (0600)."""
    return [
        File(f"{path}.crt", ctx.material.get(f"{name}.crt")),
        File(f"{path}.key", ctx.material.get(f"{name}.key"), 0o600, secret=True),
    ]


def kubeconfig_file(ctx: Context, path: str, server: str, user: str, name: str) -> File:
    """A kubeconfig with the certificate `name` of the material, for root only."""
    found, authority = pair(ctx.material, name), ctx.material.get("ca/kubernetes.crt")
    content = None
    if found is not None and authority:
        content = pki.kubeconfig(server, authority, cluster=ctx.spec.name, user=user, pair=found)
    return File(path, content, 0o600, secret=True)


def needs_bootstrap(ctx: Context, host: HostSpec) -> bool:
    """Whether a host's kubelet has yet to ask for its certificate, as far as the facts say."""
    facts = ctx.facts.get(host.id)
    if facts is None or KUBELET_CERTIFICATE not in facts.paths:
        return True
    return expired_certificate(ctx, host) is not None


def expired_certificate(ctx: Context, host: HostSpec) -> CertificateFact | None:
    """The kubelet's certificate when it had ended before the host was looked at.

    By the host's own clock: what is decided stays so for the whole run.
    """
    facts = ctx.facts.get(host.id)
    found = facts.kubelet_certificate if facts is not None else None
    if facts is None or found is None or not facts.epoch or found.ends > facts.epoch:
        return None
    return found


class Certificates(ConsoleStep):
    """Authorities, leaves, keys and the bootstrap token; what is there and still good stays."""

    id = "certificates"
    title = "Certificates and keys"

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """One line for each thing that is missing, expires or no longer fits."""
        items = [
            PlanItem(title, Verdict.CHANGE, (_("make it"),)) for title, _make in self._missing(ctx)
        ]
        return items or [PlanItem(_(self.title), Verdict.OK)]

    def run(self, ctx: Context, out: Callable[[str], None]) -> bool:
        """Make what is missing, into the material and nowhere else."""
        changed = False
        # Looked up anew after each one: leaves need their authority first.
        for title, make in self._missing(ctx):
            make()
            out(_("made: %(title)s") % {"title": title})
            changed = True
        return changed

    def is_due(self, ctx: Context, certificate: str) -> bool:
        """Whether a leaf (PEM) that still serves is made anew all the same."""
        return False

    def _missing(self, ctx: Context) -> Iterator[tuple[str, Callable[[], None]]]:
        material = ctx.material
        renewed = set()
        for name, subject in AUTHORITIES.items():
            if pair(material, f"ca/{name}") is None:
                renewed.add(name)
                yield (
                    _("authority %(name)s") % {"name": name},
                    _maker(material, f"ca/{name}", partial(pki.new_authority, subject)),
                )
        for name, authority, leaf in leaves(ctx.spec):
            ca = material.get(f"ca/{authority}.crt", "")
            now = material.get(f"{name}.crt", "")
            stays = pki.leaf_serves(now, leaf, ca) and not self.is_due(ctx, now)
            if authority in renewed or not stays:
                yield (
                    _("certificate %(name)s") % {"name": name},
                    _maker(
                        material,
                        name,
                        partial(_new_leaf, material, authority, leaf),
                    ),
                )
        if "service-account.key" not in material:
            title = _("key service-account")
            yield title, lambda: _keep_service_account(material)
        if "encryption.key" not in material:
            yield (
                _("key of Secrets at rest"),
                lambda: material.update({"encryption.key": pki.new_encryption_key()}),
            )
        if self._token_needed(ctx):
            yield (
                _("bootstrap token"),
                lambda: material.update(
                    {
                        "bootstrap.token": pki.new_bootstrap_token(),
                        "bootstrap.expires": str(int(time.time()) + TOKEN_SECONDS),
                    }
                ),
            )

    @staticmethod
    def _token_needed(ctx: Context) -> bool:
        if not any(needs_bootstrap(ctx, host) for host in ctx.spec.hosts):
            return False
        expires = float(ctx.material.get("bootstrap.expires", "0"))
        return "bootstrap.token" not in ctx.material or expires < time.time() + TOKEN_SPARE


def _authority(material: Material, name: str) -> pki.Pair:
    found = pair(material, f"ca/{name}")
    if found is None:
        raise ValueError(f"the authority {name} is missing")
    return found


def _new_leaf(material: Material, authority: str, leaf: pki.Leaf) -> pki.Pair:
    return pki.new_leaf(_authority(material, authority), leaf)


def _maker(material: Material, name: str, make: Callable[[], pki.Pair]) -> Callable[[], None]:
    def keep() -> None:
        made = make()
        # The key first: a certificate without its key would look finished.
        material[f"{name}.key"] = made.key
        material[f"{name}.crt"] = made.certificate

    return keep


def _keep_service_account(material: Material) -> None:
    made = pki.new_key_pair()
    material["service-account.pub"] = made.certificate
    material["service-account.key"] = made.key
