"""Add nodes, remove a node, replace one: what is asked for, and what the task gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from clusters.models import Cluster
from provisioning.cluster_operations import Kind, Wanted, register
from provisioning.membership import Change, parties_of, problems_of
from provisioning.models import Host
from provisioning.models_hosts import ClusterRole
from provisioning.steps.base import Problem


def add_nodes(cluster: Cluster, values: Mapping[str, Any]) -> Wanted:
    """values: control_plane and workers (hosts), accept_even."""
    change = Change(
        control_plane=tuple(values.get("control_plane", ())),
        workers=tuple(values.get("workers", ())),
        accept_even=bool(values.get("accept_even")),
    )
    told = {
        "control_plane": [host.name for host in change.control_plane],
        "workers": [host.name for host in change.workers],
    }
    title = _("Add nodes to %(name)s") % {"name": cluster.name}
    return _wanted(cluster, change, title, told)


def remove_node(cluster: Cluster, values: Mapping[str, Any]) -> Wanted:
    """values: host, accept_even, force (pods that nothing would start elsewhere may go too)."""
    host = values.get("host")
    title = _("Remove %(host)s from %(name)s") % {"host": host, "name": cluster.name}
    if not isinstance(host, Host):
        return Wanted(title, [_nobody("host")], {}, {})
    change = Change(leaving=(host,), accept_even=bool(values.get("accept_even")))
    told = {"host": host.name, "force": bool(values.get("force"))}
    return _wanted(cluster, change, title, told, force=bool(values.get("force")))


def replace_node(cluster: Cluster, values: Mapping[str, Any]) -> Wanted:
    """values: host (who leaves, dead or alive), replacement (who takes its role), force."""
    host, other = values.get("host"), values.get("replacement")
    title = _("Replace %(host)s of %(name)s") % {"host": host, "name": cluster.name}
    missing = [
        _nobody(field)
        for field, value in (("host", host), ("replacement", other))
        if not isinstance(value, Host)
    ]
    if not isinstance(host, Host) or not isinstance(other, Host):
        return Wanted(title, missing, {}, {})
    member = host.cluster_role == ClusterRole.CONTROL_PLANE
    change = Change(
        control_plane=(other,) if member else (),
        workers=() if member else (other,),
        leaving=(host,),
        accept_even=True,  # the number stays as it is
    )
    told = {"host": host.name, "replacement": other.name, "force": bool(values.get("force"))}
    return _wanted(cluster, change, title, told, force=bool(values.get("force")))


def _wanted(
    cluster: Cluster, change: Change, title: str, told: Mapping[str, Any], **more: Any
) -> Wanted:
    problems = problems_of(cluster, change)
    parameters = {} if problems else {**parties_of(cluster, change).as_json(), **more}
    return Wanted(title, problems, parameters, told)


def _nobody(field: str) -> Problem:
    return Problem("no_host", _("No host is chosen."), _("Choose a host."), field=field)


register(Kind("add_nodes", "cluster.nodes_added", add_nodes))
register(Kind("remove_node", "cluster.node_removed", remove_node))
register(Kind("replace_node", "cluster.node_replaced", replace_node))
