"""What the person may do where an object is."""

from __future__ import annotations

from django import template
from django.contrib.auth.models import AnonymousUser
from django.template.context import Context

from clusters import rights
from clusters.models import Cluster, Object

register = template.Library()


@register.simple_tag(takes_context=True)
def may_here(context: Context, permission: str, place: Object | Cluster) -> bool:
    """Whether the signed-in user has the permission, and may use it on this object or cluster."""
    user = context.get("user") or AnonymousUser()
    if isinstance(place, Cluster):
        return rights.may(user, permission, place)
    return rights.may_with(user, permission, place)
