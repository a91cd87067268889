"""Deploying, changing and removing what quick start makes: in the person's own name.

The cluster's RBAC decides by the groups of the person's memberships, and its audit log shows
the person. Nothing that somebody else made is written over: an object of the same name without
quick start's label stands in the way and is named. What an application's variables hold may
be secret: the console's audit log has their names alone.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from clusters import manifest_text, operate
from clusters.guarded import is_guarded
from clusters.inventory.kinds import object_path
from clusters.kube import KubeError, NotFound, workloads_api
from clusters.kube import manifests as kube
from clusters.kube.acting import Acting
from clusters.kube.manifests import Outcome, State, Wish
from clusters.manifest_text import Manifest
from console.accounts.models import User
from console.audit.record import record
from tenancy import quick_start
from tenancy.models import Namespace
from tenancy.namespace_actions import LEAVING
from tenancy.permissions import DEPLOY, rights
from tenancy.quick_start import KINDS, App

JSON = dict[str, Any]

SECONDS = 20.0  # for all calls of one page together


class QuickStartRefusedError(Exception):
    """What cannot be deployed here as things are; the message says why and what to do."""


@dataclass
class Result:
    """What became of a deployment, or would become.

    outcomes: of each object that is wanted. removed: kind and name of what the application
    had and has no longer. problems: what stands in the way of all of it, as sentences.
    """

    outcomes: list[Outcome] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether something was not, or would not be, done."""
        return bool(self.problems) or any(one.failed for one in self.outcomes)

    @property
    def new(self) -> bool:
        """Whether the application was not there before."""
        return any(
            one.manifest.kind == "Deployment" and one.state is State.CREATED
            for one in self.outcomes
        )


def why_not(namespace: Namespace) -> str:
    """Why nothing can be deployed in the namespace now by anybody with the right; "" when it can.

    namespace: with tenant and cluster (select_related).
    """
    figures = {"cluster": namespace.cluster.name, "tenant": namespace.tenant.name}
    if namespace.tenant.frozen:
        return _("%(tenant)s is frozen: nothing can be deployed until it is unfrozen.") % figures
    if namespace.cluster.hosts_console:
        return _("The console itself runs on %(cluster)s: nothing else is deployed there.") % (
            figures
        )
    if is_guarded(namespace.cluster, namespace.name):
        return _("This namespace keeps the cluster running: nothing else is deployed in it.")
    if namespace.state in LEAVING:
        return _("The namespace is being taken away: nothing can be deployed in it any more.")
    if not namespace.applied_revision:
        return _("%(cluster)s has not made the namespace yet: wait a moment.") % figures
    return ""


def digest(app: App, pod_security: str) -> str:
    """Tells whether what is to be applied is what was looked at."""
    return hashlib.sha256(quick_start.text(app, pod_security).encode()).hexdigest()


def connection(namespace: Namespace, user: User) -> Acting:
    """The cluster's connection in the person's name.

    Raises QuickStartRefusedError where nothing may be deployed, KubeError without a way in.
    """
    if DEPLOY not in rights(user, namespace.tenant):
        raise QuickStartRefusedError(_("You may not deploy in this namespace."))
    if why := why_not(namespace):
        raise QuickStartRefusedError(why)
    return operate.connection(namespace.cluster, user, SECONDS)


def load(namespace: Namespace, name: str, user: User) -> App | None:
    """An application as the cluster has it; None where quick start made none of this name.

    Raises QuickStartRefusedError, KubeError.
    """
    conn = connection(namespace, user)
    return quick_start.app_of(b for b in _there(conn, namespace, name) if quick_start.is_ours(b))


def try_out(namespace: Namespace, app: App, user: User, *, new: bool) -> Result:
    """What a deployment would do, by a dry run on the cluster. Raises as deploy()."""
    return _run(namespace, app, user, new=new, dry_run=True)


def deploy(namespace: Namespace, app: App, *, by: User, new: bool, request: Any = None) -> Result:
    """Apply an application, and take away what it has no longer (never its volume).

    new: it must not be there yet. The cluster is asked first whether it would take all of it:
    nothing is written when it would not. Raises QuickStartRefusedError, KubeError.
    """
    result = Result()
    try:
        result = _run(namespace, app, by, new=new, dry_run=True)
        if not result.failed:
            result = _run(namespace, app, by, new=new, dry_run=False)
    except (QuickStartRefusedError, KubeError) as error:
        _tell("namespace.app_deployed", namespace, app.name, str(error), by=by, request=request)
        raise
    said = [*result.problems, *(one.error for one in result.outcomes if one.failed)]
    why = _without_values(" ".join(said), app)
    _tell(
        "namespace.app_deployed", namespace, app.name, why or ("-" if result.failed else ""),
        by=by, request=request, after=public_fields(app),
    )  # fmt: skip
    return result


def remove(
    namespace: Namespace, name: str, *, by: User, volume: bool = False, request: Any = None
) -> list[str]:
    """Delete what quick start made of this name; kinds and names of what went.

    volume: its data too. Raises QuickStartRefusedError, KubeError.
    """
    gone: list[str] = []
    try:
        conn = connection(namespace, by)
        for body in reversed(_there(conn, namespace, name)):
            if body["kind"] == "PersistentVolumeClaim" and not volume:
                continue
            if quick_start.is_ours(body):
                _delete(conn, namespace, body)
                gone.append(_title(body))
    except (QuickStartRefusedError, KubeError) as error:
        _tell("namespace.app_removed", namespace, name, str(error), by=by, request=request)
        raise
    _tell("namespace.app_removed", namespace, name, "", by=by, request=request,
          after={"removed": gone})  # fmt: skip
    return gone


def _without_values(said: str, app: App) -> str:
    """What a cluster said, without the variables' values that it may have quoted."""
    for one in sorted(app.environment, key=lambda one: -len(one.value)):
        if len(one.value) > 2:
            said = said.replace(one.value, manifest_text.MASK)
    return said


def public_fields(app: App) -> JSON:
    """What the audit log says of an application: of its variables the names alone."""
    found = {name: value for name, value in vars(app).items() if value not in ("", None, ())}
    # A command line may carry a password as well.
    for name in ("command", "arguments"):
        found.pop(name, None)
    found["environment"] = [one.name for one in app.environment]
    return found


def _run(namespace: Namespace, app: App, user: User, *, new: bool, dry_run: bool) -> Result:
    conn = connection(namespace, user)
    ends = time.monotonic() + SECONDS
    bodies = quick_start.manifests(app, namespace.pod_security)
    there = _there(conn, namespace, app.name)
    result = Result()
    wanted = {body["kind"] for body in bodies}
    for body in there:
        ours = quick_start.is_ours(body)
        if body["kind"] in wanted and not ours:
            said = _("%(object)s is there already and was not made by quick start: it is left "
                     "as it is. Choose another name.")  # fmt: skip
            result.problems.append(said % {"object": _title(body)})
        elif body["kind"] == "Deployment" and new:
            said = _("%(object)s is there already: change it on its own page.")
            result.problems.append(said % {"object": _title(body)})
    if result.problems:
        return result
    manifests = [Manifest(n, 0, body) for n, body in enumerate(bodies, 1)]
    # What is written over is quick start's own, as was just seen; what comes meanwhile is not.
    wish = Wish(namespace.name, force=bool(there), dry_run=dry_run)
    result.outcomes = kube.run(conn, manifests, wish, deadline=ends)
    if result.failed:
        return result
    for body in there:
        kind = body["kind"]
        if quick_start.is_ours(body) and kind not in wanted and kind != "PersistentVolumeClaim":
            if not dry_run:
                _delete(conn, namespace, body)
            result.removed.append(_title(body))
    return result


def _there(conn: Acting, namespace: Namespace, name: str) -> list[JSON]:
    """What the cluster has under the names of an application, whoever made it."""
    found = []
    for kind, called in quick_start.object_names(name).items():
        try:
            body = conn.get_json(_path(namespace, kind, called))
        except NotFound:
            continue
        # Single objects may come without their kind.
        found.append({**body, "kind": kind, "apiVersion": KINDS[kind][0]})
    return found


def _delete(conn: Acting, namespace: Namespace, body: JSON) -> None:
    path = _path(namespace, body["kind"], body["metadata"]["name"])
    try:
        workloads_api.delete(conn, path, str(body["metadata"].get("uid") or ""), "Background")
    except NotFound:
        return


def _path(namespace: Namespace, kind: str, name: str) -> str:
    version, plural = KINDS[kind]
    return object_path(version, plural, namespace.name, name)


def _title(body: JSON) -> str:
    return f"{body['kind']} {body['metadata']['name']}"


def _tell(
    action: str, namespace: Namespace, name: str, why: str, *, by: User, request: Any,
    after: JSON | None = None,
) -> None:  # fmt: skip
    where = f"{namespace.cluster.name}: {namespace.name}/{name}"
    outcome = {"outcome": "failure", "reason": why} if why else {"after": after or {}}
    record(action, namespace, request=request, actor=by, object_name=where, **outcome)
