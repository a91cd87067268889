"""The steps of an HA drill: all that can be planned of it."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.steps.base import Action, Context, PlanItem, Verdict
from provisioning.texts import gettext as _


class DrillCheck(Action):
    """Looks whether every layer of every member is up: a drill takes one away."""

    id = "drill-check"
    title = "Every part is up"
    timeout = 60

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """Only the run can tell."""
        what = _("every API server, HAProxy and etcd member is asked; the drill starts if all are")
        return [PlanItem(_("Every part is up"), Verdict.OK, (what,))]


class Rehearse(Action):
    """Stops the chosen part, measures, and puts it back."""

    id = "drill"
    title = "Stop it, measure, put it back"
    timeout = 300

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """What is stopped, and for how long at most."""
        lines = (
            _("a new connection to the API through the virtual IP every 10 ms"),
            _("after 10 seconds what was stopped is started again; if the console should be "
              "lost, the host does that by itself after two minutes"),
        )  # fmt: skip
        what = str(ctx.spec.request.get("what", ""))
        return [PlanItem(_("Stop %(what)s") % {"what": what}, Verdict.CHANGE, lines)]


class DrillRecovered(Action):
    """Waits until every part is up again."""

    id = "drill-recovered"
    title = "Every part is up again"
    timeout = 240

    def plan(self, ctx: Context) -> Sequence[PlanItem]:
        """One line."""
        return [PlanItem(_("Wait until every part is up again"), Verdict.OK)]
