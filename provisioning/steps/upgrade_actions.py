"""What an upgrade asks of the cluster's API; provisioning.action_upgrade does it."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.steps.base import Action, Context, PlanItem, Verdict
from provisioning.steps.upgrade import tagged
from provisioning.texts import gettext as _


class UpgradeCheck(Action):
    """Everything that speaks against the upgrade and that only the cluster itself knows."""

    id = "upgrade-check"
    title = "The cluster may be upgraded"
    timeout = 300

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """What is asked; nothing changes."""
        version = tagged(ctx.spec.release.version)
        asked = (
            _("every API server is ready"),
            _("every node is Ready"),
            _("kubelets and container runtimes fit to %(version)s") % {"version": version},
            _("nobody uses an API version that %(version)s serves no more") % {"version": version},
        )
        return [PlanItem(_("Ask the cluster"), Verdict.OK, asked)]


class NodeUpgraded(Action):
    """The wait for a node to be Ready again with the new kubelet."""

    id = "node-upgraded"
    title = "The node is Ready with the new version"
    timeout = 300

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """One line."""
        what = _("%(node)s is Ready with kubelet %(version)s") % {
            "node": ctx.here.name,
            "version": tagged(ctx.spec.release.version),
        }
        return [PlanItem(what, Verdict.UNKNOWN, (_("waits only if it is not so"),))]
