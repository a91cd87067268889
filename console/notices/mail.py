"""Notices by e-mail: plain text, through the server that the settings name."""

from __future__ import annotations

import smtplib
from email.utils import parseaddr

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage
from django.core.validators import validate_email
from django.utils.translation import gettext as _

from console.notices.webhook import Undelivered

SUBJECT_LIMIT = 180
MOST_ADDRESSES = 20


def is_set_up() -> bool:
    """Whether there is a server to send through."""
    return bool(settings.EMAIL_HOST)


def clean_addresses(text: str) -> list[str]:
    """E-mail addresses separated by commas. Raises ValidationError naming the one that is none."""
    found = [word.strip() for word in text.split(",") if word.strip()]
    if not found or len(found) > MOST_ADDRESSES:
        raise ValidationError(
            _("Give between one and %(n)d addresses, separated by commas."),
            params={"n": MOST_ADDRESSES},
        )
    for address in found:
        try:
            validate_email(address)
        except ValidationError:
            raise ValidationError(
                _("“%(address)s” is no e-mail address."), params={"address": address}
            ) from None
    return found


def send(addresses: list[str], subject: str, text: str, message_id: str) -> str:
    """Send one message; what to note of it. Raises Undelivered.

    message_id: the same for every attempt, so that a mailbox shows one message.
    """
    if not is_set_up():
        raise Undelivered(_("No e-mail server is set: give the console FLOTILLA_EMAIL_HOST."))
    domain = parseaddr(settings.DEFAULT_FROM_EMAIL)[1].rpartition("@")[2] or "flotilla.invalid"
    message = EmailMessage(
        subject=one_line(subject)[:SUBJECT_LIMIT],
        body=text,
        to=addresses,
        headers={"Message-ID": f"<{message_id}@{domain}>", "Auto-Submitted": "auto-generated"},
    )
    try:
        message.send()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        place = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
        text = _("The e-mail server %(place)s did not take it: %(error)s")
        raise Undelivered(text % {"place": place, "error": error}) from None
    return _("Handed to the e-mail server.")


def one_line(text: str) -> str:
    """The text without line ends and other control characters, as headers need it."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
