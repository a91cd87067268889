"""What the page of one namespace shows, from SQL alone."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

from clusters.links import tab_address
from clusters.models import Cluster, ClusterStatus
from clusters.rights import may, sees_all, visible_events
from clusters.views_lists import event_rows
from tenancy import enforced, quotas, use_history
from tenancy.desired import spec_of
from tenancy.drift import unsettled
from tenancy.isolation import IN, OUT, reach
from tenancy.models import Isolation, Namespace, NamespaceState, PodSecurity
from tenancy.namespace_contents import contents
from tenancy.proof_actions import latest

EVENTS = 20
MOVING = (NamespaceState.PENDING, NamespaceState.DELETING, NamespaceState.RELEASING)
AWAY = (ClusterStatus.UNREACHABLE, ClusterStatus.FAILED)


# The fleet's lists of what is in a namespace: the tab of the cluster's page, label, icon.
LISTS = (
    ("workloads", gettext_lazy("Workloads"), "stack-2"),
    ("pods", gettext_lazy("Pods"), "box"),
    ("network", gettext_lazy("Network"), "network"),
    ("storage", gettext_lazy("Storage"), "database"),
    ("config", gettext_lazy("Config"), "settings"),
    ("events", gettext_lazy("Events"), "bell"),
)


def page_of(row: Namespace, user: Any) -> dict[str, Any]:
    """The context of the page; the row's tenant, cluster and pool should be loaded with it.

    What is in it is shown as far as the user sees it in the fleet's pages, too.
    """
    rows = reach(spec_of(row))
    found = enforced.of(row, latest(row))
    trends = use_history.of_namespace(row)
    events = visible_events(user).filter(cluster=row.cluster_id, namespace=row.name)
    opens = may(user, "clusters.view", row.cluster, row.name)
    return {
        "says": state_words(row),
        "unsettled": unsettled(row.drift),
        "moving": row.state in MOVING,
        "bars": [
            (bar, trends.get(bar.resource.key)) for bar in quotas.of_namespaces([row])[row.pk]
        ],
        "coming": [one for one in rows if one.direction == IN],
        "going": [one for one in rows if one.direction == OUT],
        "enforced": found,
        "isolation_doubt": next(
            (one for one in found if one.what == "isolation" and one.state != enforced.YES), None
        ),
        "contents": contents(row) if opens else [],
        "lists": [
            (label, icon, tab_address(row.cluster_id, tab, namespace=row.name))
            for tab, label, icon in LISTS
        ]
        if opens
        else [],
        "events": event_rows(events.order_by("-last")[:EVENTS], whole=sees_all(user)),
    }


def doubts(cluster: Cluster) -> list[enforced.Enforced]:
    """What a cluster does not enforce, or nobody knows whether, of what a form offers."""
    row = Namespace(
        cluster=cluster, isolation=Isolation.TENANT, pod_security=PodSecurity.BASELINE
    )  # fmt: skip
    return [one for one in enforced.of(row) if one.state != enforced.YES]


def state_words(row: Namespace) -> str:
    """What the state means now, in plain words; "" where there is nothing to say."""
    state = row.state
    if state in MOVING and row.cluster.status in AWAY:
        text = _AWAY
    elif state == NamespaceState.PENDING and not row.applied_revision:
        text = _FIRST
    else:
        text = _WORDS.get(NamespaceState(state), "")
    return _(text) % {"cluster": row.cluster, "reason": _sentence(row.state_reason)} if text else ""


def _sentence(text: str) -> str:
    found = text.strip() or _("it gave no reason")
    return found if found.endswith(".") else f"{found}."


_AWAY = gettext_noop(
    "%(cluster)s does not answer now. What is wanted is kept, and done as soon as it is back; "
    "you need not wait here."
)
_FIRST = gettext_noop("It is being made on %(cluster)s. This takes a moment.")
_WORDS = {
    NamespaceState.PENDING: gettext_noop("The last change is on its way to %(cluster)s."),
    NamespaceState.FAILED: gettext_noop(
        "%(cluster)s did not take it: %(reason)s It is tried again, and at once when you change it."
    ),
    NamespaceState.DRIFTED: gettext_noop(
        "Somebody changed on %(cluster)s what Flotilla keeps there. Nothing was overwritten: "
        "mend it to have it as it stands here, or accept what is there."
    ),
    NamespaceState.DELETING: gettext_noop("%(cluster)s is deleting it with all that is in it."),
    NamespaceState.RELEASING: gettext_noop(
        "What Flotilla has put there is being taken away; the namespace stays."
    ),
}
