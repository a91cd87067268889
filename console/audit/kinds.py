"""Kinds of events that an auditor asks for by one word, where one action does not say it."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

# What a person has seen of secrets, or carried away with secrets in it.
SECRETS = (
    "cluster.kubeconfig_issued",
    "namespace.kubeconfig_issued",
    "snapshot.downloaded",
    "token.created",
    "notice_channel.secret_renewed",
)

KINDS: Mapping[str, tuple[str | Promise, Q]] = {
    "secrets": (_("Secrets looked at"), Q(action__in=SECRETS)),
    "terminals": (
        _("Terminals"),
        Q(action__in=("pod.terminal_opened", "pod.terminal_closed")),
    ),
    "clusters-gone": (
        _("Deleted clusters"),
        Q(action__in=("cluster.deleted", "cluster.forgotten")),
    ),
    "tokens": (_("By tokens"), Q(token_name__gt="")),
}
CHOICES = [(name, label) for name, (label, _wanted) in KINDS.items()]
