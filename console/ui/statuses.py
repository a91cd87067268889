"""How each status word of the console looks: its label, colour and icon.

A status is never colour alone: the badge shows the word and an icon too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Look:
    """label is used where the caller gives none; tone is a class of flotilla.css."""

    label: Any
    tone: str
    icon: str
    moving: bool = False


LOOKS = {
    "active": Look(_("Active"), tone="good", icon="circle-check"),
    "up": Look(_("Up"), tone="good", icon="circle-check"),
    "ready": Look(_("Ready"), tone="good", icon="circle-check"),
    "succeeded": Look(_("Succeeded"), tone="good", icon="circle-check"),
    "success": Look(_("Success"), tone="good", icon="circle-check"),
    "applied": Look(_("As wanted"), tone="good", icon="circle-check"),
    "changed": Look(_("Done"), tone="good", icon="circle-check"),
    "ok": Look(_("Already correct"), tone="good", icon="check"),
    "unchanged": Look(_("Already correct"), tone="good", icon="check"),
    "running": Look(_("Running"), tone="busy", icon="loader-2", moving=True),
    "checking": Look(_("Checking"), tone="busy", icon="loader-2", moving=True),
    "provisioning": Look(_("Being created"), tone="busy", icon="loader-2", moving=True),
    "deleting": Look(_("Being deleted"), tone="busy", icon="loader-2", moving=True),
    "releasing": Look(_("Being released"), tone="busy", icon="loader-2", moving=True),
    "queued": Look(_("Queued"), tone="idle", icon="hourglass"),
    "pending": Look(_("Waiting"), tone="idle", icon="circle-dashed"),
    "new": Look(_("Not checked yet"), tone="idle", icon="circle-dashed"),
    "normal": Look(_("Normal"), tone="idle", icon="info-circle"),
    "skipped": Look(_("Skipped"), tone="idle", icon="circle-minus"),
    "open": Look(_("Waiting for an answer"), tone="warn", icon="hourglass"),
    "approved": Look(_("Approved"), tone="good", icon="circle-check"),
    "refused": Look(_("Refused"), tone="bad", icon="circle-x"),
    "withdrawn": Look(_("Withdrawn"), tone="idle", icon="arrow-back-up"),
    "ended": Look(_("Ended"), tone="idle", icon="clock-off"),
    "unknown": Look(_("Unknown"), tone="idle", icon="help-circle"),
    "canceled": Look(_("Canceled"), tone="idle", icon="ban"),
    "revoked": Look(_("Revoked"), tone="idle", icon="ban"),
    "expired": Look(_("Expired"), tone="idle", icon="clock-off"),
    "disabled": Look(_("Disabled"), tone="idle", icon="circle-minus"),
    "change": Look(_("Will change"), tone="busy", icon="pencil"),
    "untrusted": Look(_("Fingerprint to be trusted"), tone="warn", icon="fingerprint"),
    "cordoned": Look(_("Cordoned"), tone="warn", icon="ban"),
    "stale": Look(_("Stale"), tone="warn", icon="clock-off"),
    "warning": Look(_("Warning"), tone="warn", icon="alert-triangle"),
    "denied": Look(_("Denied"), tone="warn", icon="lock"),
    "drifted": Look(_("Changed by hand"), tone="warn", icon="arrows-diff"),
    "degraded": Look(_("Degraded"), tone="warn", icon="alert-triangle"),
    "down": Look(_("Down"), tone="bad", icon="circle-x"),
    "stranger": Look(_("Not trusted"), tone="bad", icon="shield-x"),
    "unreachable": Look(_("Unreachable"), tone="bad", icon="plug-connected-x"),
    "not_ready": Look(_("Not ready"), tone="bad", icon="alert-triangle"),
    "key_changed": Look(_("Host key changed"), tone="bad", icon="alert-triangle"),
    "damaged": Look(_("Damaged"), tone="bad", icon="alert-triangle"),
    "info": Look(_("Information"), tone="busy", icon="info-circle"),
    "critical": Look(_("Critical"), tone="bad", icon="urgent"),
    "over": Look(_("Over"), tone="good", icon="circle-check"),
    "sent": Look(_("Sent"), tone="good", icon="circle-check"),
    "sending": Look(_("Being sent"), tone="busy", icon="loader-2", moving=True),
    "held": Look(_("Held back"), tone="idle", icon="moon"),
    "merged": Look(_("In a summary"), tone="good", icon="stack-2"),
    "dropped": Look(_("Not needed"), tone="idle", icon="circle-minus"),
    "given_up": Look(_("Given up"), tone="bad", icon="circle-x"),
    "taking": Look(_("Being taken"), tone="busy", icon="loader-2", moving=True),
    "failed": Look(_("Failed"), tone="bad", icon="circle-x"),
    "failure": Look(_("Failure"), tone="bad", icon="circle-x"),
    "frozen": Look(_("Frozen"), tone="warn", icon="snowflake"),
    "protected": Look(_("Protected"), tone="idle", icon="lock"),
    "error": Look(_("Error"), tone="bad", icon="alert-triangle"),
}


def look(status: object) -> Look:
    """The look of a status value; one that is not listed shows its own word, quietly."""
    word = str(getattr(status, "value", status))
    found = LOOKS.get(word)
    return found or Look(word, tone="idle", icon="help-circle")
