"""The operation apply_manifests: many manifests, applied in a person's name with a live log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clusters.kube import KubeError
from clusters.kube import manifests as kube
from clusters.kube.manifests import Outcome, Wish
from clusters.manifest_apply import Tally, record_outcome
from clusters.manifest_text import Manifest, read
from clusters.models import Cluster, ManifestText
from clusters.operate import connection
from console.accounts.models import User
from provisioning.models import Task, TaskStatus
from provisioning.operation_drain import actor_of, cluster_of, failure_of
from provisioning.operations import launch, operation
from provisioning.run import Failure, TaskRun

OPERATION = "apply_manifests"
STEP = "apply"
KEPT = timedelta(days=1)
MOST_FIELDS = 10


def apply_manifests(
    cluster: Cluster,
    text: str,
    manifests: Sequence[Manifest],
    wish: Wish,
    *,
    user: User,
    request: Any = None,
) -> Task:
    """Launch the task; the text lies encrypted in a row of its own until it has succeeded."""
    with transaction.atomic():
        ManifestText.objects.filter(created__lt=timezone.now() - KEPT).delete()
        kept = ManifestText.objects.create(cluster=cluster, user=user, text=text)
        title = _("Try %(count)d manifests on %(cluster)s") if wish.dry_run else _(
            "Apply %(count)d manifests to %(cluster)s"
        )  # fmt: skip
        return launch(
            OPERATION,
            title=title % {"count": len(manifests), "cluster": cluster.name},
            user=user,
            parameters={
                "cluster": cluster.pk,
                "text": kept.pk,
                "namespace": wish.namespace,
                "force": wish.force,
                "dry_run": wish.dry_run,
            },
            cluster=cluster,
            request=request,
        )


def ended(task: Task) -> None:
    """What was applied is kept no longer; what failed stays for a retry."""
    if task.status == TaskStatus.SUCCEEDED:
        ManifestText.objects.filter(pk=task.parameters["text"]).delete()


@operation(
    OPERATION,
    title=gettext_noop("Apply manifests"),
    steps=[(STEP, gettext_noop("Apply the manifests"))],
    on_end=ended,
    personal=True,
)
def run(run: TaskRun) -> None:
    """Apply, or try, one object after the other; each result is a line. Raises Failure."""
    wanted = run.parameters
    with run.step(STEP) as row:
        if row is None:
            return
        cluster, user = cluster_of(run), actor_of(run)
        kept = ManifestText.objects.filter(pk=wanted["text"], cluster=cluster).first()
        if kept is None:
            raise Failure(
                code="text",
                found=_("The manifests of this task are kept no longer."),
                hint=_("Send them again."),
            )
        wish = Wish(str(wanted["namespace"]), bool(wanted["force"]), bool(wanted["dry_run"]))

        def tell(outcome: Outcome) -> None:
            for line in lines_of(outcome):
                run.log(line)
            if not wish.dry_run:
                record_outcome(cluster, outcome, user=user)

        try:
            conn = connection(cluster, user, None)
        except KubeError as error:
            raise failure_of(error) from error
        outcomes = kube.run(
            conn, read(str(kept.text)), wish, stopped=run.lease.stop.is_set, on_outcome=tell
        )
        run.check_canceled()
        _judge(Tally.of(outcomes), outcomes)


def lines_of(outcome: Outcome) -> list[str]:
    """A result as lines of a log: fields by path, no values, for more people read logs."""
    found = [f"{outcome.state.value:9} {outcome.title}"]
    found += [
        _("          %(field)s belongs to %(manager)s")
        % {"field": taken.field, "manager": taken.manager}
        for taken in outcome.conflicts
    ]
    if outcome.error and not outcome.conflicts:
        found.append(f"          {outcome.error}")
    if outcome.state is kube.State.CHANGED:
        paths = list(dict.fromkeys([*outcome.changed[0], *outcome.changed[1]]))
        found += [f"          {path}" for path in paths[:MOST_FIELDS]]
        if len(paths) > MOST_FIELDS:
            found.append(_("          and %(count)d more") % {"count": len(paths) - MOST_FIELDS})
    return found


def _judge(tally: Tally, outcomes: Sequence[Outcome]) -> None:
    if not tally.failed:
        return
    bad = [outcome for outcome in outcomes if outcome.failed]
    raise Failure(
        code="manifests",
        expected=_("Every object is taken by the cluster."),
        found=_("%(failed)d of %(all)d objects were not taken.")
        % {"failed": tally.failed, "all": len(outcomes)},
        hint=_("Mend what the log says and send them again; a retry sends the same text."),
        output=[f"{o.title}: {o.error or o.state.value}" for o in bad[:20]],
    )
