"""Reading a cluster's own audit log from its control planes, over SSH and within a time limit."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from django.utils.translation import gettext as _

from clusters.models import Cluster
from clusters.slots import Slots
from console.accounts.models import User
from provisioning.cluster_audit_lines import (
    BYTES,
    MOST,
    NO_LOG,
    PERSON,
    Entry,
    Query,
    entries,
    merged,
    script,
)
from provisioning.models import Host
from provisioning.models_hosts import ClusterRole
from provisioning.run import Failure
from provisioning.ssh_types import SSHError, Target
from provisioning.targets import target_of

CONNECT_SECONDS = 5.0
READ_SECONDS = 10.0
# Readings at the same time in one process; each is a search through up to 1.1 GB on each host.
AT_ONCE = 3

readings = Slots(lambda: AT_ONCE, lambda: 2)


@dataclass(frozen=True)
class Trouble:
    """Why a host's entries are missing, and what to do."""

    host: str
    cause: str
    mend: str


@dataclass
class Reading:
    """What was found, newest first, and which hosts could not be read.

    more: there is more than MOST, the oldest of which are left out.
    """

    entries: list[Entry] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    hosts: list[str] = field(default_factory=list)
    more: bool = False


def read(cluster: Cluster, query: Query) -> Reading:
    """The entries of all control planes that fit the query.

    Returns after CONNECT_SECONDS + READ_SECONDS at the latest; a host that is slower or
    away is a trouble, never an error.
    """
    found = Reading()
    rows = Host.objects.filter(cluster=cluster, cluster_role=ClusterRole.CONTROL_PLANE)
    targets: list[Target] = []
    for host in rows.select_related("credential", "jump__credential"):
        found.hosts.append(host.name)
        try:
            targets.append(target_of(host))
        except Failure as failure:
            found.troubles.append(Trouble(host.name, failure.found, failure.hint))
    if not targets:
        return found
    # No database in these threads.
    with ThreadPoolExecutor(len(targets)) as pool:
        answers = list(pool.map(lambda target: _of_host(target, query), targets))
    found.troubles += [answer for answer in answers if isinstance(answer, Trouble)]
    parts = [answer for answer in answers if not isinstance(answer, Trouble)]
    everything = merged(parts)
    found.more = len(everything) > MOST
    names = _names(everything[:MOST])
    found.entries = [
        replace(entry, name=names.get(entry.person or entry.user, ""))
        for entry in everything[:MOST]
    ]
    return found


def _of_host(target: Target, query: Query) -> list[Entry] | Trouble:
    from provisioning.ssh import connect

    answer = bytearray()

    def take(part: bytes) -> None:
        answer.extend(part[: BYTES - len(answer)])

    said: list[str] = []
    try:
        with connect(target, CONNECT_SECONDS) as link:
            ended = link.fetch(script(query), take, said.append, seconds=READ_SECONDS)
    except SSHError as error:
        return Trouble(target.name, error.cause, error.mend)
    if ended.timed_out:
        return Trouble(
            target.name,
            _("%(host)s had not searched its audit log after %(seconds)d seconds.")
            % {"host": target.name, "seconds": READ_SECONDS},
            _("Look for a shorter time."),
        )
    if ended.status == NO_LOG:
        return Trouble(
            target.name,
            _("%(host)s has no audit log.") % {"host": target.name},
            _("Repair the cluster: its API server gets one."),
        )
    # 1 is grep's answer where nothing fits; pipes end with the status of tail.
    if ended.status not in (0, 1):
        return Trouble(
            target.name,
            _("The audit log of %(host)s cannot be read: %(said)s")
            % {"host": target.name, "said": " ".join(said[-2:])[:300] or ended.status},
            _("Look at /var/log/kubernetes on the host."),
        )
    return entries(query, target.name, bytes(answer))


def _names(found: Sequence[Entry]) -> dict[str, str]:
    numbers = {
        int(number)
        for entry in found
        for name in (entry.person, entry.user)
        if name.startswith(PERSON) and (number := name.removeprefix(PERSON)).isdigit()
        and len(number) < 19
    }  # fmt: skip
    users = User.objects.filter(pk__in=numbers).values_list("pk", "username")
    return {f"{PERSON}{pk}": name for pk, name in users}


def users_called(name: str) -> tuple[str, ...]:
    """What a person or account may be called in a cluster: a name as it is there, or of a user."""
    if not name:
        return ()
    numbers = User.objects.filter(username=name).values_list("pk", flat=True)
    return (name, *(f"{PERSON}{pk}" for pk in numbers))
