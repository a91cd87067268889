"""What people do with hosts: each change with its audit event, for pages and API alike."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.accounts.models import User
from console.audit.record import record
from provisioning.keys import KeyRefusedError, fingerprint
from provisioning.models import Host, HostState, Task, TaskStatus
from provisioning.operations import launch

PASSWORDS = ("sudo_password", "first_password")
CLEAN_UP = "clean_up_host"
LIVE = (TaskStatus.QUEUED, TaskStatus.RUNNING)


class HostRefusedError(Exception):
    """Something that cannot be done with a host as it is; the message says why and the mend."""


def public_fields(host: Host) -> dict[str, Any]:
    """What an audit event says of a host: how it is reached, and whether secrets are set."""
    return {
        "name": host.name,
        "address": host.address,
        "port": host.port,
        "username": host.username,
        "credential": host.credential.name if host.credential else "",
        "jump": host.jump.name if host.jump else "",
        "sudo_password": bool(host.sudo_password),
        "first_password": bool(host.first_password),
    }


def add(hosts: Sequence[Host], user: User, request: HttpRequest) -> Task:
    """Save new hosts, all or none, and have them checked. IntegrityError when one is there."""
    with transaction.atomic():
        for host in hosts:
            host.state_since = timezone.now()
            host.save()
            record("host.added", host, request=request, actor=user, after=public_fields(host))
        return check(hosts, user, request)


def change(host: Host, before: dict[str, Any], user: User, request: HttpRequest) -> Task | None:
    """Save an edited host; what is reached in another way is checked again."""
    after = public_fields(host)
    moved = any(after[key] != before[key] for key in after if key != "name")
    with transaction.atomic():
        # Whether a password is set may stay the same while the password does not.
        saved = Host.objects.get(pk=host.pk)
        moved = moved or any(getattr(host, name) != getattr(saved, name) for name in PASSWORDS)
        if moved and host.state != HostState.KEY_CHANGED:
            host.state, host.state_since = HostState.NEW, timezone.now()
            host.state_reason = ""
        host.save()
        record("host.changed", host, request=request, actor=user, before=before, after=after)
        return check([host], user, request) if moved else None


def check(hosts: Sequence[Host], user: User, request: HttpRequest) -> Task:
    """Launch the check of hosts: reachable, fingerprint, facts."""
    title = (
        _("Check %(name)s") % {"name": hosts[0].name}
        if len(hosts) == 1
        else ngettext("Check %(count)d host", "Check %(count)d hosts", len(hosts))
        % {"count": len(hosts)}
    )
    return launch(
        "check_hosts",
        title=title,
        user=user,
        parameters={"hosts": [host.pk for host in hosts]},
        request=request,
    )


def needs_name(host: Host) -> bool:
    """Whether trusting the offered key replaces one that was trusted before."""
    return bool(host.host_key) and host.host_key != host.offered_key


def trust(
    pk: int, shown: str, user: User, request: HttpRequest, *, confirm_name: str = ""
) -> tuple[Host, Task]:
    """Trust the key that a host offers, if it is the one whose fingerprint was shown.

    A key that replaces a trusted one needs the host's name as well. The host is then checked.
    Raises HostRefusedError, and Host.DoesNotExist.
    """
    with transaction.atomic():
        host = Host.objects.select_for_update(of=("self",)).get(pk=pk)
        if not host.offered_key:
            raise HostRefusedError(
                _("%(name)s offers no key that is not trusted yet.") % {"name": host.name}
            )
        offered = fingerprint(host.offered_key)
        if shown.strip() != offered:
            raise HostRefusedError(
                _(
                    "The host shows another key than the one you looked at. Compare the "
                    "fingerprint again: it is now %(fingerprint)s."
                )
                % {"fingerprint": offered}
            )
        if needs_name(host) and confirm_name != host.name:
            raise HostRefusedError(
                _("This replaces a key that was trusted: confirm it with the host's name.")
            )
        before = {"host_key": fingerprint_of(host.host_key)}
        host.host_key, host.offered_key = host.offered_key, ""
        host.state, host.state_reason = HostState.NEW, ""
        host.state_since = timezone.now()
        host.save(update_fields=["host_key", "offered_key", "state", "state_reason", "state_since"])
        record(
            "host.trusted",
            host,
            request=request,
            actor=user,
            before=before,
            after={"host_key": offered},
        )
        return host, check([host], user, request)


def fingerprint_of(key: str) -> str:
    """The fingerprint of a host key, "" where there is none or it is unreadable."""
    try:
        return fingerprint(key) if key else ""
    except KeyRefusedError:
        return ""


def why_not_removed(host: Host) -> str:
    """Why a host cannot be removed now; empty when it can."""
    if host.cluster is not None:
        return _("%(host)s serves the cluster %(cluster)s: delete the cluster first.") % {
            "host": host.name,
            "cluster": host.cluster.name,
        }
    if behind := list(host.behind.values_list("name", flat=True)):
        return _("%(names)s are reached through %(host)s: give them another jump host first.") % {
            "names": ", ".join(behind),
            "host": host.name,
        }
    return ""


def remove(host: Host, user: User, request: HttpRequest, *, forget: bool = False) -> None:
    """Forget a host; nothing is changed on the machine. Raises HostRefusedError.

    forget: also a clean-up that it still waits for.
    """
    with transaction.atomic():
        host = Host.objects.select_for_update(of=("self",)).get(pk=host.pk)
        if why := why_not_removed(host):
            raise HostRefusedError(why)
        if names := remains_of(host):
            if not forget:
                raise HostRefusedError(
                    _("%(host)s still has what is left of %(clusters)s: clean it up or forget it.")
                    % {"host": host.name, "clusters": ", ".join(names)}
                )
            forget_clean_up(host, user, request)
        record("host.removed", host, request=request, actor=user, before=public_fields(host))
        host.delete()


def remains_of(host: Host) -> list[str]:
    """The names of the clusters whose remains wait on the host for their clean-up."""
    return [row.cluster_name for row in host.cleanups.all()]


def cleaning_task(host: Host) -> Task | None:
    """The clean-up of this host that waits or runs, if there is one."""
    live = Task.objects.filter(operation=CLEAN_UP, status__in=LIVE)
    return live.filter(parameters__host=host.pk).order_by("-id").first()


def clean_up(host: Host, user: User, request: HttpRequest) -> Task:
    """Launch the task that takes a cluster's remains off a host. Raises HostRefusedError."""
    with transaction.atomic():
        host = Host.objects.select_for_update(of=("self",)).get(pk=host.pk)
        _refuse_while_cleaning(host)
        if host.cluster is not None:
            raise HostRefusedError(
                _("%(host)s serves the cluster %(cluster)s: it cannot be cleaned up now.")
                % {"host": host.name, "cluster": host.cluster.name}
            )
        # The newest first: it came on top of what was there before.
        numbers = list(host.cleanups.order_by("-id").values_list("cluster_number", flat=True))
        if not numbers:
            raise HostRefusedError(_("There is nothing to clean up on %s.") % host.name)
        return launch(
            CLEAN_UP,
            title=_("Clean up %(name)s") % {"name": host.name},
            user=user,
            parameters={"host": host.pk, "cleanups": numbers},
            request=request,
        )


def forget_clean_up(host: Host, user: User, request: HttpRequest) -> None:
    """Drop the records of what was on a host before: it was installed anew, or is gone.

    Raises HostRefusedError when there is nothing to forget, or a clean-up runs.
    """
    with transaction.atomic():
        host = Host.objects.select_for_update(of=("self",)).get(pk=host.pk)
        _refuse_while_cleaning(host)
        names = remains_of(host)
        if not names:
            raise HostRefusedError(_("There is nothing to clean up on %s.") % host.name)
        host.cleanups.all().delete()
        record(
            "host.cleanup_forgotten", host, request=request, actor=user, before={"clusters": names}
        )


def _refuse_while_cleaning(host: Host) -> None:
    if task := cleaning_task(host):
        raise HostRefusedError(
            _("%(host)s is being cleaned up by task %(task)d: wait until that has ended.")
            % {"host": host.name, "task": task.pk}
        )
