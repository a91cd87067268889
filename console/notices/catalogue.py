"""Every kind of notice, with its words. `tell` refuses a kind that is not here.

A notice keeps a kind and values, never a sentence: each reader gets it in their language.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

Text = str | Promise
# No role holds it: the notice is for its owner and its audience alone.
NOBODY = "nobody"


@dataclass(frozen=True)
class Kind:
    """label: in filters; opened and over: sentences with %(value)s in them.

    lasting: it holds until it is over; others only happen. asked: goes out by rules
    that name it alone, not by those for all kinds. permission: what a reader needs.
    members_page: its link leads to a page of its audience, and of nobody who has left that.
    """

    label: Text
    opened: Text
    over: Text = ""
    permission: str = ""
    lasting: bool = True
    asked: bool = False
    members_page: bool = False


KINDS: Mapping[str, Kind] = {
    "cluster.away": Kind(
        _("Cluster away"),
        _("The cluster %(name)s does not answer: %(reason)s"),
        _("The cluster %(name)s answers again."),
        permission="clusters.view",
    ),
    "cluster.degraded": Kind(
        _("Cluster degraded"),
        _("The cluster %(name)s is degraded: %(reason)s"),
        _("The cluster %(name)s is well again."),
        permission="clusters.view",
    ),
    "node.not_ready": Kind(
        _("Node not ready"),
        _("The node %(name)s of %(cluster)s is not ready: %(reason)s"),
        _("The node %(name)s of %(cluster)s is ready again."),
        permission="clusters.view",
    ),
    "task.failed": Kind(
        _("Task failed"),
        _("The task “%(title)s” did not succeed: %(reason)s"),
        permission="tasks.view",
        lasting=False,
    ),
    "task.succeeded": Kind(
        _("Task succeeded"),
        _("The task “%(title)s” succeeded."),
        permission="tasks.view",
        lasting=False,
        asked=True,
    ),
    "snapshot.failed": Kind(
        _("Snapshot failed"),
        _("The last snapshot of %(cluster)s is no good: %(reason)s"),
        _("There is a good snapshot of %(cluster)s again."),
        permission="clusters.view",
    ),
    "request.open": Kind(
        _("Request waits"),
        _("%(by)s asks for %(tenant)s: %(what)s"),
        _("The request of %(by)s for %(tenant)s has its answer: %(what)s"),
        permission="tenants.change",
    ),
    "request.answered": Kind(
        _("Request answered"),
        _("The request of %(by)s for %(tenant)s: %(state)s. %(what)s. %(answer)s"),
        permission="tenants.change",
        lasting=False,
        members_page=True,
    ),
    "isolation.lost": Kind(
        _("Isolation no longer enforced"),
        _(
            "The isolation of %(namespace)s (%(tenant)s) on %(cluster)s was enforced and is no "
            "more: probe pods went through where nothing may."
        ),
        _("The isolation of %(namespace)s on %(cluster)s is enforced again."),
        permission="tenants.view",
    ),
    "request.ending": Kind(
        _("Granted quota ends soon"),
        _("What %(tenant)s was given ends on %(until)s: %(what)s"),
        permission="tenants.change",
        lasting=False,
        members_page=True,
    ),
    "request.ended": Kind(
        _("Granted quota ended"),
        _("What %(tenant)s was given has ended: %(what)s. %(over)s"),
        permission="tenants.change",
        lasting=False,
        members_page=True,
    ),
    "tenant.cluster_forgotten": Kind(
        _("Cluster forgotten"),
        _(
            "The console looks after the cluster %(cluster)s no longer, and %(tenant)s cannot "
            "use it here. These namespaces stay on it as they are: %(namespaces)s"
        ),
        permission="tenants.change",
        lasting=False,
    ),
    "tenant.cluster_deleted": Kind(
        _("Cluster deleted"),
        _("The cluster %(cluster)s was deleted, and with it of %(tenant)s: %(namespaces)s"),
        permission="tenants.change",
        lasting=False,
    ),
    "member.added": Kind(
        _("Membership"),
        _("You belong to the tenant %(tenant)s, as %(role)s."),
        permission=NOBODY,
        lasting=False,
        asked=True,
    ),
    "member.removed": Kind(
        _("Membership ended"),
        _("You no longer belong to the tenant %(tenant)s."),
        permission=NOBODY,
        lasting=False,
        asked=True,
    ),
    "audit_stream.behind": Kind(
        _("Audit stream behind"),
        _("The audit stream %(name)s has been behind for more than ten minutes: %(reason)s"),
        _("The audit stream %(name)s is up to date again."),
        permission="audit.view",
    ),
    "expiry.near": Kind(
        _("Expiry near"),
        _("%(what)s “%(name)s” ends on %(date)s. %(mend)s"),
        _("%(what)s “%(name)s” no longer ends soon."),
    ),
}

# What can end: its words, and what to do about it.
EXPIRES: Mapping[str, tuple[Text, Text]] = {
    "credential": (
        _("The credential of the cluster"),
        _("Replace it on the cluster's page before then, or the console is shut out."),
    ),
    "certificate": (
        _("The first certificate of the cluster"),
        _("Renew the certificates on the cluster's page."),
    ),
    "token": (
        _("The API token"),
        _("Create a new one, put it where the old one is used, then revoke the old one."),
    ),
    "kubeconfig": (
        _("The kubeconfig"),
        _("Take a new one on the namespace's page, and put it where the old one is used."),
    ),
    "ssh_key": (
        _("The SSH key"),
        _("Add a new one, put its public half on the hosts, then remove the old one."),
    ),
}

ENDED = _("%(what)s “%(name)s” ended on %(date)s. %(mend)s")

# A value that names another word of the catalogue, worded when it is shown.
TRANSLATED = ("title", "reason", "state", "role")


def label(kind: str) -> str:
    """A kind in one or two words; a kind that is no longer known shows itself."""
    found = KINDS.get(kind)
    return str(found.label) if found else kind


def sentence(kind: str, values: Mapping[str, Any], *, over: bool = False) -> str:
    """What happened, or that it is over, in the language that is active."""
    found = KINDS.get(kind)
    if found is None:
        return kind
    words: dict[str, str] = defaultdict(lambda: "–")
    words |= {name: str(value) for name, value in values.items() if value not in ("", None)}
    for name in TRANSLATED:
        if name in words:
            words[name] = gettext(words[name])
    if kind == "expiry.near":
        what, mend = EXPIRES.get(str(values.get("type")), ("", ""))
        words |= {"what": str(what), "mend": str(mend)}
        words["date"] = str(values.get("expires", ""))[:10]
    text = found.over if over and found.over else found.opened
    if kind == "expiry.near" and not over and words["expires"] < timezone.now().isoformat():
        text = ENDED
    return (str(text) % words).strip()
