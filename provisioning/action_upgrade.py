"""What an upgrade asks of the cluster's API (steps/upgrade_actions.py)."""

from __future__ import annotations

import time
from collections.abc import Iterator

from django.utils.translation import gettext as _

from clusters.kube import KubeError, connect
from clusters.kube.connection import JSON, Connection
from clusters.kube.deprecated import Use, in_use
from clusters.kube.nodes_api import node_ready, state_of
from clusters.kube.skew import skew
from provisioning import shell, versions
from provisioning.action_nodes import api, failure_of
from provisioning.actions import ActionContext, action
from provisioning.recipes.upgrade import runtime_problem
from provisioning.run import Canceled, Failure
from provisioning.spec import HostSpec
from provisioning.steps.base import Problem
from provisioning.steps.layout import API_PORT
from provisioning.steps.upgrade import tagged
from provisioning.steps.upgrade_actions import NodeUpgraded, UpgradeCheck

READY_SECONDS = 240
MOST_USES = 20  # how many uses of removed APIs a failure names; the log has all


@action(UpgradeCheck.id)
def check(ctx: ActionContext) -> int:
    """Refuse the upgrade, naming everything that speaks against it; nothing has changed yet."""
    conn = api(ctx)
    try:
        members = [_member(ctx, host) for host in ctx.spec.control_plane]
        apiservers = [member.version() for member in members]
        nodes = conn.listing("/api/v1/nodes").items
        problems = [*_nodes(ctx, nodes), *_skew(ctx, nodes, apiservers)]
        uses = in_use(members, tagged(ctx.spec.release.version))
    except KubeError as error:
        raise failure_of(ctx, error) from error
    problems += _removed(ctx, uses)
    for problem in problems:
        ctx.log(f"✗ {problem.what} {problem.mend}")
    if problems:
        raise Failure(
            code=problems[0].code,
            expected=_("A cluster that may be upgraded; nothing has been changed yet."),
            found=" ".join(problem.what for problem in problems),
            hint=" ".join(dict.fromkeys(problem.mend for problem in problems if problem.mend)),
        )
    return 0


def _member(ctx: ActionContext, host: HostSpec) -> Connection:
    """A connection to one control plane's own API server, which is ready. Raises Failure."""
    through = f"https://{shell.address(host.address)}:{API_PORT}"
    try:
        conn = connect(ctx.cluster, through)
        conn.readyz()
    except KubeError as error:
        failure = failure_of(ctx, error)
        failure.host, failure.expected = host.name, _("Its API server is ready.")
        raise failure from error
    return conn


def _nodes(ctx: ActionContext, nodes: list[JSON]) -> Iterator[Problem]:
    found = {str(node["metadata"]["name"]): node for node in nodes}
    for host in ctx.spec.hosts:
        node = found.get(host.name)
        if node is None or not state_of(node).ready:
            what = _("The node %(node)s is not Ready.") % {"node": host.name}
            mend = _("Mend it, or remove it from the cluster, before the upgrade.")
            yield Problem("not_ready", what, mend)
    for name, node in sorted(found.items()):
        info = (node.get("status") or {}).get("nodeInfo") or {}
        runtime = str(info.get("containerRuntimeVersion", "")).partition("://")
        if runtime[0] != "containerd":
            continue
        if not versions.containerd_new_enough(ctx.spec.release.version, runtime[2]):
            yield runtime_problem(ctx.spec, name, runtime[2])


def _skew(ctx: ActionContext, nodes: list[JSON], apiservers: list[str]) -> list[Problem]:
    kubelets = {str(node["metadata"]["name"]): state_of(node).kubelet for node in nodes}
    known = {name: version for name, version in kubelets.items() if version}
    violations = skew(known, apiservers, tagged(ctx.spec.release.version))
    return [Problem(violation.rule.value, violation.text, "") for violation in violations]


def _removed(ctx: ActionContext, uses: list[Use]) -> list[Problem]:
    accepted = bool(ctx.spec.request.get("accept_removed_apis"))
    for use in uses:
        ctx.log(f"{'!' if accepted else '✗'} {use.text}")
    if not uses or accepted:
        return []
    what = " ".join(use.text for use in uses[:MOST_USES])
    if len(uses) > MOST_USES:
        what += " " + _("%(count)d more are in the log.") % {"count": len(uses) - MOST_USES}
    mend = _("Change who uses them, or launch the upgrade once more and accept what will break.")
    return [Problem("removed_apis", what, mend)]


@action(NodeUpgraded.id)
def node_upgraded(ctx: ActionContext) -> int:
    """Wait until the node is Ready with the new kubelet. An API that is away meanwhile is borne."""
    name, wanted = ctx.here.name, tagged(ctx.spec.release.version)
    conn, end, shown = api(ctx), time.monotonic() + READY_SECONDS, ""
    while True:
        try:
            state = node_ready(conn, name)
            if state.ready and state.kubelet == wanted:
                return 0
            found = _("%(node)s is Ready with kubelet %(version)s.")
            if not state.ready:
                found = _("%(node)s is not Ready; its kubelet was last %(version)s.")
            found %= {"node": name, "version": state.kubelet or "?"}
        except KubeError as error:
            found = str(error)
        if found != shown:
            ctx.log(found)
            ctx.run.journal.note(ctx.row, found)
            shown = found
        if time.monotonic() > end:
            raise Failure(
                host=name,
                code="node_not_ready",
                expected=_("%(node)s is Ready with kubelet %(version)s.")
                % {"node": name, "version": wanted},
                found=found,
                hint=_("Look at the kubelet's and containerd's journals on the host, then retry."),
            )
        if ctx.run.lease.stop.wait(0.5):
            ctx.run.check_canceled()
            raise Canceled
