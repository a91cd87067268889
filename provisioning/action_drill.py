"""Does an HA drill: finds the host, stops the part, measures through the VIP, puts it back."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.utils import timezone
from django.utils.translation import gettext as _

from clusters.inventory.control_plane_now import look_now
from clusters.kube import KubeError
from clusters.kube.credentials import credentials_of
from clusters.kube.outage import OutageMeter, Result
from provisioning import power
from provisioning.actions import ActionContext, action
from provisioning.host_runner import HostRunner
from provisioning.models import Host
from provisioning.models_drills import Drill, DrillTarget
from provisioning.run import Failure
from provisioning.shell import unit
from provisioning.steps.drill import DrillCheck, DrillRecovered, Rehearse
from provisioning.steps.etcd import etcdctl

BEFORE, AWAY, LONGEST, AFTER = 2.0, 10.0, 60.0, 5.0  # seconds of the measurement's parts
GUARD_SECONDS = 120
RECOVERY_SECONDS = 180
UNITS = {
    DrillTarget.HAPROXY: ("haproxy.service",),
    DrillTarget.KEEPALIVED: ("keepalived.service",),
    DrillTarget.API_SERVER: ("kube-apiserver.service",),
    DrillTarget.ETCD_LEADER: ("etcd.service",),
    # What a control plane consists of, the way in first.
    DrillTarget.HOST: (
        "keepalived.service", "haproxy.service", "kube-apiserver.service",
        "kube-controller-manager.service", "kube-scheduler.service", "etcd.service",
        "kubelet.service",
    ),
}  # fmt: skip


@action(DrillCheck.id)
def check(ctx: ActionContext) -> int:
    """Raises Failure when a part is down: then a drill would be an outage."""
    if problems := _problems(ctx):
        raise Failure(
            code="not_whole",
            expected=_("Every part of the control plane is up before one is taken away."),
            found=" ".join(problems),
            hint=_("Mend this first; a drill is for a cluster that is whole."),
        )
    return 0


@action(Rehearse.id)
def rehearse(ctx: ActionContext) -> int:
    """Stop, measure, put back; after a kill only put back, for what was felt is not known."""
    drill = _row(ctx)
    if drill.stopped is not None:
        ctx.log(_("The drill was interrupted: what was stopped is started again."))
        _put_back(ctx, drill)
        raise Failure(
            code="interrupted",
            found=_("The drill was interrupted before it was measured; all is put back."),
            hint=_("Start another one."),
        )
    host = _host_of(ctx, DrillTarget(drill.target))
    _note(ctx, drill, host_name=host.name)
    meter = OutageMeter(credentials_of(ctx.cluster))
    meter.start()
    try:
        _wait(ctx, BEFORE)
        _note(ctx, drill, stopped=timezone.now())
        try:
            _stop(ctx, drill, host)
            _wait_for_recovery(ctx, meter)
            _note(ctx, drill, holder_after=_holder(ctx, but=host.name))
        finally:
            _put_back(ctx, drill)
        _wait(ctx, AFTER)
    finally:
        meter.stop()
    _keep(ctx, drill, meter.result())
    return 0


@action(DrillRecovered.id)
def recovered(ctx: ActionContext) -> int:
    """Waits until every layer is up again. Raises Failure naming what is not."""
    deadline = time.monotonic() + RECOVERY_SECONDS
    while problems := _problems(ctx):
        if time.monotonic() > deadline:
            raise Failure(
                code="not_whole",
                expected=_("Every part is up again after the drill."),
                found=" ".join(problems),
                hint=_("Look at the named part on its host; Repair puts back what is missing."),
            )
        _wait(ctx, 2.0)
    return 0


def _row(ctx: ActionContext) -> Drill:
    with ctx.run.lease.write():
        drill, _new = Drill.objects.get_or_create(
            task=ctx.run.task,
            defaults={
                "cluster": ctx.cluster,
                "target": str(ctx.spec.request["target"]),
                "means": str(ctx.spec.request["means"]),
            },
        )
    return drill


def _problems(ctx: ActionContext) -> list[str]:
    """What is wrong with the control plane right now, in words; empty when it is whole."""
    try:
        return [problem.what for problem in look_now(ctx.cluster).problems]
    except KubeError as error:
        return [str(error)]


def _holder(ctx: ActionContext, but: str = "") -> str:
    try:
        holder = look_now(ctx.cluster).holder
    except KubeError:
        return ""
    return holder if holder != but else ""


def _host_of(ctx: ActionContext, target: DrillTarget) -> Host:
    """The host that is to lose the part: who leads etcd, or who holds the virtual IP."""
    if target is DrillTarget.ETCD_LEADER:
        name = _leader(ctx)
    else:
        name = _holder(ctx)
    host = next((h for h in ctx.spec.control_plane if h.name == name), None)
    if host is None or host.id not in ctx.runners:
        raise Failure(
            code="no_host",
            expected=_("One of the control planes holds the virtual IP, and etcd has a leader."),
            found=_("Nobody could be found: %(name)s.") % {"name": name or _("no answer")},
            hint=_("Look at the Control plane tab, mend what it names, and try again."),
        )
    return ctx.runners[host.id].host


def _leader(ctx: ActionContext) -> str:
    """Asked of any member: the name of the one that leads."""
    ask = etcdctl(ctx.spec, *ctx.spec.control_plane)
    script = f"{ask} endpoint status 2>/dev/null | awk -F', ' '$5 == \"true\" {{ print $1 }}'"
    runner = next(ctx.runners[h.id] for h in ctx.spec.control_plane if h.id in ctx.runners)
    endpoint = _said(runner, script, ctx.row.step, 30).strip()
    return next((h.name for h in ctx.spec.control_plane if f"//{h.address}:" in endpoint), "")


def _stop(ctx: ActionContext, drill: Drill, host: Host) -> None:
    switch = power.switch_of(host) if drill.means == "power" else None
    if switch is not None:
        ctx.log(_("The power of %(host)s is cut.") % {"host": host.name})
        _switched(lambda: switch.off(host), host)
        return
    units = " ".join(unit(name) for name in UNITS[DrillTarget(drill.target)])
    ctx.log(_("%(host)s: stopping %(units)s.") % {"host": host.name, "units": units})
    # The guard first: it starts them again whatever becomes of us.
    script = (
        f"systemd-run --quiet --collect --unit=flotilla-drill --on-active={GUARD_SECONDS}"
        f" systemctl start {units} || exit 1\nsystemctl stop {units}\n"
    )
    _said(ctx.runners[host.pk], script, ctx.row.step, 60)


def _put_back(ctx: ActionContext, drill: Drill) -> None:
    host = Host.objects.get(name=drill.host_name, cluster=ctx.cluster)
    switch = power.switch_of(host) if drill.means == "power" else None
    if switch is not None:
        ctx.log(_("%(host)s gets its power back.") % {"host": host.name})
        _switched(lambda: switch.on(host), host)
    else:
        units = " ".join(unit(name) for name in reversed(UNITS[DrillTarget(drill.target)]))
        ctx.log(_("%(host)s: starting %(units)s.") % {"host": host.name, "units": units})
        script = f"systemctl start {units}\nsystemctl stop flotilla-drill.timer 2>/dev/null\n:\n"
        _said(ctx.runners[host.pk], script, ctx.row.step, 120)
    _note(ctx, drill, put_back=timezone.now())


def _wait_for_recovery(ctx: ActionContext, meter: OutageMeter) -> None:
    """Some seconds at least, and until the API answers again."""
    _wait(ctx, AWAY)
    deadline = time.monotonic() + LONGEST - AWAY
    while time.monotonic() < deadline:
        outages = meter.result().outages
        if not outages or not outages[-1].open:
            return
        _wait(ctx, 1.0)


def _keep(ctx: ActionContext, drill: Drill, result: Result) -> None:
    _note(ctx, drill, result=result.as_json(), longest_ms=result.longest_ms)
    worst = max(result.outages, key=lambda o: o.length_ms, default=None)
    if worst is None:
        ctx.log(_("No new connection failed: there was no outage."))
    else:
        ctx.log(
            _("The longest outage of new connections: %(ms).0f ms (± %(margin).0f ms).")
            % {"ms": worst.length_ms, "margin": worst.margin_ms}
        )


def _note(ctx: ActionContext, drill: Drill, **values: object) -> None:
    for name, value in values.items():
        setattr(drill, name, value)
    with ctx.run.lease.write():
        drill.save(update_fields=list(values))


def _said(runner: HostRunner, script: str, step: str, seconds: float) -> str:
    parts: list[bytes] = []
    runner.fetch(script, parts.append, step, seconds)
    return b"".join(parts).decode(errors="replace")


def _switched(turn: Callable[[], None], host: Host) -> None:
    try:
        turn()
    except OSError as error:
        raise Failure(
            host=host.name,
            code="power",
            found=str(error),
            hint=_("Only a worker that may switch the host's power can do this drill."),
        ) from error


def _wait(ctx: ActionContext, seconds: float) -> None:
    ctx.run.lease.stop.wait(seconds)
    ctx.run.check_canceled()
