"""Tells the load balancers of a cluster which API server not to use (steps/entry.py)."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _

from provisioning.actions import ActionContext, action
from provisioning.recipe_run import AWAY_CODES
from provisioning.run import Failure
from provisioning.steps.entry import (
    EntryLeft,
    EntryRejoined,
    leave_commands,
    rejoin_commands,
    socket_script,
)

SECONDS = 20


@action(EntryLeft.id)
def leave(ctx: ActionContext) -> int:
    """Take the host's API server out of every load balancer."""
    return _tell(ctx, leave_commands(ctx.spec, ctx.here))


@action(EntryRejoined.id)
def rejoin(ctx: ActionContext) -> int:
    """Put it back."""
    return _tell(ctx, rejoin_commands(ctx.here))


def _tell(ctx: ActionContext, commands: Sequence[str]) -> int:
    """Each HAProxy in turn. One that cannot be reached finds out by its own checks."""
    script, told = socket_script(commands), 0
    for host in ctx.spec.control_plane:
        runner = ctx.runners.get(host.id)
        if runner is None:
            continue
        ctx.run.check_canceled()
        try:
            runner.fetch(script, lambda _data: None, ctx.row.step, SECONDS)
        except Failure as failure:
            if failure.code not in AWAY_CODES:
                raise
            ctx.log(_("%(host)s cannot be told: %(why)s") % {"host": host.name, "why": failure})
        else:
            told += 1
    return told
