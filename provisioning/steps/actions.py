"""What recipes ask the worker to do itself: things of the API, not of a host.

What each does stands in the module that registers its id (provisioning.actions).
"""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.steps.base import Action, Context, PlanItem, Verdict
from provisioning.texts import gettext as _


class Drain(Action):
    """Cordons a node and evicts its pods, as `kubectl drain` does."""

    id = "drain"
    title = "Drain the node"
    timeout = 3600

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """Which pods there are only the run can tell."""
        name = ctx.here.name
        how = (
            _("cordon %(node)s") % {"node": name},
            _("evict its pods; pods of DaemonSets stay, disruption budgets are kept"),
        )
        return [PlanItem(_("Drain %(node)s") % {"node": name}, Verdict.CHANGE, how)]


class Uncordon(Action):
    """Lets a node take pods again, when it was this task that cordoned it."""

    id = "uncordon"
    title = "Take pods again"

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """One line."""
        name = ctx.here.name
        return [PlanItem(_("Uncordon %(node)s") % {"node": name}, Verdict.CHANGE)]


class DeleteNode(Action):
    """Takes a node off the API, and the console's certificates for it."""

    id = "delete-node"
    title = "The cluster forgets the node"

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """One line."""
        name = ctx.here.name
        return [PlanItem(_("Delete the node %(node)s") % {"node": name}, Verdict.CHANGE)]
