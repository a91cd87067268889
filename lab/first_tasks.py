"""What the demo does after the console answers, as tasks, each as soon as it can be.

    lab_base ──┬─> lab_hosts ──────┬─> the first cluster
               └─> lab_kubernetes ─┘

`advance` looks at what is there and launches what is missing and possible. It is called when the
demo starts (`manage.py demo_tasks`, as root) and at the end of each of these tasks, so a demo that
was stopped anywhere goes on where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from clusters.models import Cluster, Profile
from console.accounts.models import User
from console.audit.record import record
from lab import base, requirements
from lab.errors import LabError
from lab.kubernetes import Bundle, architecture
from lab.lab import DEFAULT_HOSTS, Lab
from lab.network import DEMO_NAME
from provisioning.cluster_request import ClusterRequest
from provisioning.clusters import create_cluster
from provisioning.keys import generate
from provisioning.models import (
    Host,
    HostState,
    Release,
    ReleaseState,
    SSHCredential,
    Task,
    TaskStatus,
)
from provisioning.operations import OPERATIONS, Refused, launch, retry
from provisioning.releases_layout import ReleaseError
from provisioning.releases_sources import DISTRIBUTION, import_folder
from provisioning.run import Failure, TaskRun

CREDENTIAL = "lab"
CLUSTER = "demo"
CLUSTER_HOSTS = 2


def parameters_of(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the environment says about the demo: DEMO_LAB, DEMO_SUBNET, DEMO_HOSTS, DEMO_CLUSTER.

    Raises LabError for a number of hosts that is none.
    """
    count = environ.get("DEMO_HOSTS") or str(DEFAULT_HOSTS)
    if not count.isdecimal() or int(count) < 1:
        raise LabError("Reading DEMO_HOSTS", f"{count!r} is no number of hosts", "give 1 or more")
    return {
        "lab": environ.get("DEMO_LAB") or DEMO_NAME,
        "subnet": environ.get("DEMO_SUBNET") or None,
        "hosts": int(count),
        "cluster": environ.get("DEMO_CLUSTER", "1") not in ("0", "no", "false", ""),
    }


def lab_of(parameters: Mapping[str, Any], keys: tuple[str, ...] = ()) -> Lab:
    """The lab that the tasks' parameters name, opened for these public keys. Raises LabError."""
    return Lab(
        parameters["lab"], parameters["subnet"], parameters["hosts"], authorized_keys=list(keys)
    )


def advance(user: User | None, parameters: Mapping[str, Any], *, start: bool = False) -> list[Task]:
    """Launch what is missing and possible now; the tasks launched.

    At the demo's start a task that has failed is tried again; later that is left to people.
    Raises Refused when the first cluster cannot be made of the hosts.
    """
    packages = not requirements.missing()
    has_base = packages and base.base_root().exists()
    has_hosts = has_base and hosts_ready(parameters)
    launched: list[Task | None] = []
    with transaction.atomic():
        # Two tasks that end at once must not both launch the next one.
        list(User.objects.select_for_update().filter(pk=user.pk if user else 0))
        has_release = Release.objects.filter(state=ReleaseState.READY).exists()
        if not has_base:
            launched.append(_want("lab_base", user, parameters, start))
        elif not has_hosts:
            launched.append(_want("lab_hosts", user, parameters, start))
        if packages and not has_release:
            launched.append(_want("lab_kubernetes", user, parameters, start))
    if has_hosts and has_release and parameters["cluster"]:
        launched.append(first_cluster(user))
    return [task for task in launched if task is not None]


def _want(name: str, user: User | None, parameters: Mapping[str, Any], start: bool) -> Task | None:
    """A new task of this operation, unless one is on its way or has failed a moment ago."""
    last = Task.objects.filter(operation=name).first()
    if last is not None and not last.is_ended:
        return None
    if last is not None and last.status != TaskStatus.SUCCEEDED:
        return last if start and retry(last, user) else None
    title = _(OPERATIONS[name].title)
    return launch(name, title=title, user=user, parameters=parameters)


def hosts_ready(parameters: Mapping[str, Any]) -> bool:
    """Whether every host of the demo runs, is registered and was checked."""
    try:
        states = lab_of(parameters).status()
    except LabError:
        return False
    running = [s.address for s in states if s.state in ("running", "partitioned")]
    known = Host.objects.filter(is_lab=True, address__in=running).exclude(state=HostState.NEW)
    return len(running) >= parameters["hosts"] and known.count() == len(running)


def console_key(user: User | None) -> str:
    """The public half of the console's credential for lab hosts, made at first use."""
    with transaction.atomic():
        credential = SSHCredential.objects.filter(name=CREDENTIAL).first()
        if credential is None:
            pair = generate("ed25519", "flotilla-lab")
            credential = SSHCredential.objects.create(
                name=CREDENTIAL,
                username="root",
                kind=pair.kind,
                public_key=pair.public,
                fingerprint=pair.fingerprint,
                private_key=pair.private,
            )
            record("credential.created", credential, actor=user, after=credential)
    return credential.public_key


def register_hosts(lab: Lab, user: User | None) -> list[Host]:
    """Make the lab's hosts known to the console; their host keys come from the lab itself.

    Raises LabError when a host that is no lab host has the address of one.
    """
    credential = SSHCredential.objects.get(name=CREDENTIAL)
    registered = []
    with transaction.atomic():
        for machine in lab.hosts:
            host = Host.objects.filter(address=machine.address, port=machine.port).first()
            if host is not None and not host.is_lab:
                raise LabError(
                    f"Registering {machine.name}",
                    f"the host {host.name} of the console has its address, {machine.address}",
                    f"remove {host.name} from the console, or choose another DEMO_SUBNET",
                )
            if host is not None and host.host_key == machine.ssh_host_key:
                registered.append(host)
                continue
            taken = Host.objects.filter(name=machine.name).exclude(pk=host.pk if host else 0)
            before = host
            host = host or Host(address=machine.address, port=machine.port, is_lab=True)
            host.name = f"lab-{machine.name}" if taken.exists() else machine.name
            host.credential = credential
            # Known from the machine that made it: nobody needs to compare a fingerprint.
            host.host_key, host.offered_key = machine.ssh_host_key, ""
            host.state = HostState.NEW
            host.save()
            action = "host.changed" if before else "host.added"
            record(action, host, actor=user, after=host, reason="a host of the lab")
            registered.append(host)
    return registered


def first_cluster(user: User | None) -> Task | None:
    """Launch the demo's cluster on the first two free hosts of the lab, once in the console's life.

    Somebody who deletes it is not given another. Raises Refused.
    """
    made = Task.objects.filter(cluster_name=CLUSTER).exists()
    hosts = Host.objects.filter(is_lab=True, cluster=None, state=HostState.READY).order_by("name")
    if made or Cluster.objects.filter(name=CLUSTER).exists() or hosts.count() < CLUSTER_HOSTS:
        return None
    control_plane, worker = hosts[:CLUSTER_HOSTS]
    ready = Release.objects.filter(state=ReleaseState.READY, arch=architecture())
    request = ClusterRequest(
        name=CLUSTER,
        profile=Profile.LIGHTWEIGHT,
        release=ready.first(),
        control_plane=(control_plane,),
        workers=(worker,),
    )
    try:
        return create_cluster(request, user)[1]
    except Refused as refused:
        # Another of the demo's tasks ended at the same moment and was faster.
        if any(problem.code in ("name_taken", "host_taken") for problem in refused.problems):
            return None
        raise


def import_release(bundle: Bundle, run: TaskRun) -> Release:
    """Import the binaries of this machine as a release. Raises Failure."""
    try:
        release = import_folder(
            bundle.folder,
            source=DISTRIBUTION,
            origin=bundle.source,
            log=run.log,
            check=run.check_canceled,
        )
    except ReleaseError as error:
        raise Failure(
            found=f"{error} {error.found}".strip(),
            expected=error.expected,
            hint=error.hint,
            code="release",
        ) from error
    record("release.imported", release, actor=run.task.created_by, after=release)
    return release
