"""From a Host's row to what provisioning.ssh needs, and back from what it met."""

from __future__ import annotations

from contextlib import ExitStack

from django.utils import timezone
from django.utils.translation import gettext as _

from provisioning.lease import begin_patiently
from provisioning.models import Host, HostState
from provisioning.run import Failure
from provisioning.ssh_types import KeyChanged, KeyUntrusted, SignInRefused, SSHError, Target

MOST_JUMPS = 4


def target_of(host: Host, *, first_contact: bool = False) -> Target:
    """How to reach a host. With first_contact the password that installs the key is used.

    Raises Failure when the host has no credential, or its jump hosts form a ring.
    """
    return _target(host, first_contact, MOST_JUMPS)


def _target(host: Host, first_contact: bool, jumps: int) -> Target:
    if jumps < 0:
        raise Failure(
            host=host.name,
            code="jump",
            found=_("The jump hosts of %s form a ring or a chain that is too long.") % host.name,
            hint=_("Change the jump host on the host's page."),
        )
    credential = host.credential
    if credential is None and not (first_contact and host.first_password):
        raise Failure(
            host=host.name,
            code="credential",
            found=_("%s has no credential.") % host.name,
            hint=_("Choose an SSH credential on the host's page."),
        )
    username = host.username or (credential.username if credential else "root")
    return Target(
        name=host.name,
        address=host.address,
        port=host.port,
        username=username,
        host_key=host.host_key,
        private_key=credential.private_key if credential and not first_contact else "",
        password=host.first_password if first_contact else "",
        sudo_password=host.sudo_password,
        jump=_target(host.jump, False, jumps - 1) if host.jump else None,
    )


def failure_of(error: SSHError, host: str, step: str = "") -> Failure:
    """An SSH error as a task shows it."""
    return Failure(
        host=host,
        step=step,
        code=error.code,
        found=error.cause,
        hint=error.mend,
        expected=_("A connection with the host's trusted key."),
    )


def note_error(host: Host, error: SSHError) -> None:
    """Keep on the host's row what a connection met: unreachable, untrusted or changed key."""
    state = HostState.UNREACHABLE
    values: dict[str, object] = {}
    if isinstance(error, KeyChanged):
        state, values["offered_key"] = HostState.KEY_CHANGED, error.offered
    elif isinstance(error, KeyUntrusted):
        state, values["offered_key"] = HostState.UNTRUSTED, error.offered
    elif isinstance(error, SignInRefused):
        values["offered_key"] = ""
    set_state(host, state, str(error), **values)


def set_state(host: Host, state: HostState, reason: str = "", **values: object) -> None:
    """Write a host's state; since-when moves only when the state does."""
    since = host.state_since if host.state == state and host.state_since else timezone.now()
    values = {"state": state, "state_reason": reason, "state_since": since, **values}
    with ExitStack() as stack:
        begin_patiently(stack)
        Host.objects.filter(pk=host.pk).update(**values)
    for name, value in values.items():
        setattr(host, name, value)
