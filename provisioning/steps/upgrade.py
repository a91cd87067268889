"""What an upgrade does on hosts besides the steps that every cluster is made by."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning import shell, versions
from provisioning.spec import ClusterSpec, HostSpec
from provisioning.steps.base import Context, Step
from provisioning.steps.binaries import CONTROL_PLANE_PROGRAMS, images, node_programs, programs
from provisioning.steps.control_plane import COMPONENTS
from provisioning.steps.etcd import client_url, etcdctl
from provisioning.steps.layout import (
    API_PORT,
    KUBECTL,
    PROGRAMS,
    is_control_plane,
    release_files,
    version_folder,
)
from provisioning.steps.resources import Command, Probe, Resource, Upload, Wait
from provisioning.texts import gettext as _


def tagged(version: str) -> str:
    """A version as Kubernetes writes it, "v1.21.0"."""
    return f"v{version.removeprefix('v')}"


class EtcdWhole(Step):
    """Refuses an upgrade while a member of etcd is missing, still learns, or does not answer."""

    id = "etcd-whole"
    title = "Every etcd member is well"
    timeout = 60

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """One test on whichever control plane answers; it asks all members by etcd's own list."""
        members = ctx.spec.control_plane
        ask = etcdctl(ctx.spec, *members)
        known = "\n".join(
            f"printf '%s\\n' \"$list\" | grep -F {shell.quote(f', {client_url(host)}, ')}"
            f" | grep -q ', started, .*, false$' || ill=\"$ill {shell.label(host.name)}\""
            for host in members
        )
        return [
            Probe(
                "etcd-whole",
                _("Every member of etcd is healthy"),
                f"list=$({ask} member list) || {{ printf '%s\\n' \"$list\"; exit 1; }}\n"
                f"ill=\n{known}\n"
                '[ -z "$ill" ] || { echo "not a started, voting member:$ill"; exit 1; }\n'
                f"{ask} endpoint health --cluster 2>&1",
                _("all %(count)d members are started, vote and answer") % {"count": len(members)},
                "member_ill",
                _("asks etcd for its members and each of them for its health"),
            )
        ]


class OthersCarryOn(Step):
    """Refuses to take a control plane out of service while the others could not do without it."""

    id = "others"
    title = "The others carry on"
    timeout = 60

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """etcd keeps its majority, another API server answers. Nothing where there is no other."""
        members = ctx.spec.control_plane
        others = [host for host in members if host != ctx.here]
        if not others:
            return []
        needed = len(members) // 2 + 1
        return [
            Probe(
                "others",
                _("etcd and the API go on without this host"),
                _others_test(ctx.spec, others, needed),
                _(
                    "at least %(needed)d of the %(count)d other members are healthy, and the API "
                    "server of another control plane is ready"
                )
                % {"needed": needed, "count": len(others)},
                "no_quorum",
                _("each of the others is asked for its health"),
            )
        ]


def _others_test(spec: ClusterSpec, others: Sequence[HostSpec], needed: int) -> str:
    lines = ["n=0 api=0 ill="]
    for host in others:
        name = shell.label(host.name)
        server = f"https://{shell.address(host.address)}:{API_PORT}"
        lines.append(
            f"if {etcdctl(spec, host)} endpoint health >/dev/null 2>&1; then n=$((n + 1));"
            f' else ill="$ill etcd/{name}"; fi'
        )
        lines.append(
            f"if {KUBECTL} --server={server} --request-timeout=5s get --raw /readyz"
            f' >/dev/null 2>&1; then api=$((api + 1)); else ill="$ill kube-apiserver/{name}"; fi'
        )
    lines.append(
        f'echo "etcd: $n of {len(others)} others healthy; API servers: $api ready'
        '${ill:+; not:$ill}"'
    )
    lines.append(f'[ "$n" -ge {needed} ] && [ "$api" -ge 1 ]')
    return "\n".join(lines)


class UploadPrograms(Step):
    """The new version's files, beside those that run: nothing is switched yet."""

    id = "upload"
    title = "New programs and images"
    timeout = 1800

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """What the later steps want, so that they find it there."""
        found: list[Resource] = []
        if is_control_plane(ctx.spec, ctx.here):
            folder = version_folder(ctx.spec)
            found += [Upload(f, f"{folder}/{f.name}") for f in release_files(ctx.spec, "etcd")]
            found += programs(ctx, CONTROL_PLANE_PROGRAMS)
        return [*found, *node_programs(ctx), *images(ctx)]


class ApiUpgraded(Step):
    """The proof that this host's API server is the new one."""

    id = "api-upgraded"
    title = "The API server has the new version"
    timeout = 180

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Asked directly, not through the load balancer."""
        version = tagged(ctx.spec.release.version)
        return [
            Wait(
                "api-version",
                _("The API server says that it is %(version)s") % {"version": version},
                f'{KUBECTL} get --raw /version | grep -qF \'"gitVersion": "{version}"\'',
                120,
                _("the API server is %(version)s") % {"version": version},
                f"{KUBECTL} get --raw /version; "
                "journalctl -u kube-apiserver -n 15 --no-pager -o cat",
                tuple(f"{name}.service" for name in COMPONENTS),
            )
        ]


class NodeMarks(Step):
    """Labels and taints of control planes whose names have changed between the versions.

    The kubelet sets a taint only when it registers; what an older version was
    given stays, and a newer one does not know it.
    """

    id = "node-marks"
    title = "Taints and labels of the control planes"
    timeout = 60

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Nothing where both versions use the same names."""
        spec = ctx.spec
        old = versions.minor(str(spec.request.get("from") or spec.release.version))
        new = versions.minor(spec.release.version)
        names = " ".join(host.name for host in spec.control_plane)
        before, after = (versions.CONTROL_PLANE_TAINT.at(at) for at in (old, new))
        found: list[Resource] = []
        if before != after:
            nodes = f"{KUBECTL} get node {names} -o jsonpath='{{.items[*].spec.taints[*].key}}"
            nodes += "{.spec.taints[*].key}'"
            # A control plane that runs workloads has no taint, and gets none.
            each = "\n".join(
                f"{KUBECTL} get node {name} -o jsonpath='{{.spec.taints[*].key}}' | "
                f"grep -qF {before} && {{ {KUBECTL} taint --overwrite node {name} "
                f"{after}=:NoSchedule && {KUBECTL} taint node {name} {before}- || exit 1; }}"
                for name in names.split()
            )
            found.append(
                Command(
                    "taints",
                    _("The taint %(after)s in place of %(before)s")
                    % {"after": after, "before": before},
                    f"{each}\n:",
                    unless=f"! {nodes} | grep -qF {before}",
                    once=False,
                )
            )
        if versions.MASTER_LABEL.at(old) and not versions.MASTER_LABEL.at(new):
            label = "node-role.kubernetes.io/master"
            found.append(
                Command(
                    "master-label",
                    _("The label %(label)s goes") % {"label": label},
                    f"{KUBECTL} label node {names} {label}-",
                    unless=f'[ -z "$({KUBECTL} get node -l {label} -o name)" ]',
                    once=False,
                )
            )
        return found


class OldPrograms(Step):
    """Programs of versions before the last one go; the last one's stay for the way back."""

    id = "old-programs"
    title = "Programs of older versions"
    timeout = 60

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """One command, which only touches folders that are named like a version."""
        keep = {version_folder(ctx.spec)}
        if before := str(ctx.spec.request.get("from", "")):
            keep.add(f"{PROGRAMS}/{tagged(before)}")
        kept = "|".join(shell.path(path) for path in sorted(keep))
        older = (
            f"for d in {PROGRAMS}/v[0-9]*.[0-9]*.[0-9]*; do\n"
            f'case "$d" in {kept}) continue ;; esac\n[ -d "$d" ] || continue\n'
        )
        return [
            Command(
                "old-programs",
                _("Folders of versions before the last one are removed"),
                f'{older}echo "$d"; rm -rf "$d" || exit 1\ndone',
                unless=f"{older}exit 1\ndone",
                once=False,
            )
        ]
