"""What makes nodes a cluster: their pod ranges, labels, and what the admin chose to run on top."""

from __future__ import annotations

import json
from collections.abc import Sequence

from provisioning import versions
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Context, Step
from provisioning.steps.dns import WITHOUT_DNS, dns_choice, dns_objects
from provisioning.steps.layout import KUBECTL, KUBERNETES, pod_range
from provisioning.steps.resources import Command, File, Note, Resource, Wait, digest
from provisioning.texts import gettext as _


def is_routed(spec: ClusterSpec) -> bool:
    """Whether the network plug-in is our own; else the option "network_manifest" brings it."""
    return str(spec.options.get("network", "routed")) == "routed"


def node_commands(spec: ClusterSpec, present: Sequence[HostSpec]) -> str:
    """The commands that give nodes their pod range and role labels; present: those that are."""
    lines = []
    at = versions.minor(spec.release.version)
    if is_routed(spec):
        for host in present:
            own = pod_range(spec, host)
            patch = json.dumps({"spec": {"podCIDR": own, "podCIDRs": [own]}}, separators=(",", ":"))
            lines.append(f"{KUBECTL} patch node {host.name} -p '{patch}' &")
    for role, hosts in (("control-plane", spec.control_plane), ("worker", spec.workers)):
        names = " ".join(host.name for host in hosts if host in present)
        labels = f"node-role.kubernetes.io/{role}="
        if role == "control-plane" and versions.MASTER_LABEL.at(at):
            labels += " node-role.kubernetes.io/master="
        if names:
            lines.append(f"{KUBECTL} label --overwrite node {names} {labels} &")
    # Started together: each is a program of its own that mostly waits for the API.
    return (
        "set --\n"
        + "".join(f'{line} set -- "$@" $!\n' for line in lines)
        + ('for p; do wait "$p" || exit 1; done\n')
    )


class Addons(Step):
    """Runs on the first control plane, against the API."""

    id = "addons"
    title = "Nodes' ranges and roles, add-ons"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Wait for the nodes, give them range and labels, apply the admin's own manifests."""
        spec, present = ctx.spec, ctx.present
        names = " ".join(host.name for host in present)
        found: list[Resource] = [
            Wait(
                "nodes-known",
                _("Every node has introduced itself"),
                f"{KUBECTL} get node {names}",
                90,
                _("every node is known to the API"),
                f"{KUBECTL} get nodes,csr",
                ("kube-apiserver.service",),
            ),
            Command(
                "nodes",
                _("Pod ranges and roles of the nodes"),
                node_commands(spec, present),
                unless=self._ranges_set(spec, present),
            ),
        ]
        if not is_routed(spec):
            network = str(spec.options.get("network_manifest", ""))
            found += self._applied("network", _("Network plug-in"), network)
        if dns_choice(spec) == "none":
            found.append(Note("dns", _("No DNS inside the cluster"), _(WITHOUT_DNS)))
        else:
            found += self._applied("dns", _("DNS inside the cluster (CoreDNS)"), dns_objects(spec))
        return found

    @staticmethod
    def _applied(name: str, about: str, manifest: str) -> list[Resource]:
        path = f"{KUBERNETES}/objects/{name}.yaml"
        apply = f"{KUBECTL} apply -f {path}"
        return [File(path, manifest), Command(name, about, apply, version=digest(manifest))]

    @staticmethod
    def _ranges_set(spec: ClusterSpec, present: Sequence[HostSpec]) -> str:
        if not is_routed(spec):
            return f"{KUBECTL} get nodes"
        names = " ".join(host.name for host in present)
        expected = " ".join(pod_range(spec, host) for host in present)
        path = "{.items[*].spec.podCIDR}" if len(present) > 1 else "{.spec.podCIDR}"
        return f'[ "$({KUBECTL} get node {names} -o jsonpath=\'{path}\')" = "{expected}" ]'
