"""What goes out: the JSON of webhooks and the text of e-mails. docs/notices.md has the schema."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.conf import settings
from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console.notices.catalogue import label, sentence
from console.notices.mail import one_line
from console.notices.models import Channel, Delivery, Message, Notice, Severity

SUMMARY_LIMIT = 200  # notices that one summary carries
VERSION = 1


def parts_of(delivery: Delivery) -> list[tuple[Notice, bool]]:
    """The notices that a delivery tells, each with whether it says that it is over."""
    if delivery.message == Message.SUMMARY:
        rows = delivery.parts.select_related("notice").order_by("id")[:SUMMARY_LIMIT]
        return [(r.notice, r.message == Message.RESOLVED) for r in rows if r.notice is not None]
    if delivery.notice is None:
        return []
    return [(delivery.notice, delivery.message == Message.RESOLVED)]


def webhook_body(delivery: Delivery) -> bytes:
    """The body of a webhook's request, in the channel's language."""
    with translation.override(delivery.channel.language):
        told = {
            "version": VERSION,
            "id": str(delivery.uuid),
            "type": str(delivery.message),
            "text": one_line(subject(delivery)),
            "sent": timezone.now().isoformat(),
            "notices": [notice_data(notice, over=over) for notice, over in parts_of(delivery)],
        }
    return json.dumps(told, ensure_ascii=False).encode()


def notice_data(notice: Notice, *, over: bool) -> dict[str, Any]:
    """One notice as webhooks carry it."""
    return {
        "id": notice.pk,
        "kind": notice.kind,
        "severity": str(notice.severity),
        "state": "over" if over else "open",
        "text": sentence(notice.kind, notice.values, over=over),
        "cluster": notice.cluster,
        "subject": {
            "type": notice.subject_type,
            "id": notice.subject_id,
            "name": notice.subject_name,
        },
        "values": notice.values,
        "occurred": notice.occurred.isoformat(),
        "resolved": notice.resolved.isoformat() if over and notice.resolved else None,
        "count": notice.count,
        "link": notice.link,
        "url": full_address(notice.link),
    }


def email(delivery: Delivery) -> tuple[str, str]:
    """(subject, text) in the channel's language."""
    with translation.override(delivery.channel.language):
        blocks = [_block(notice, delivery.channel, over=o) for notice, o in parts_of(delivery)]
        if delivery.message == Message.TEST:
            blocks = [_("This is a test. Notices for this channel arrive.")]
        foot = _("Sent by Flotilla to the channel “%(name)s”.") % {"name": delivery.channel.name}
        text = "\n\n".join([*blocks, f"-- \n{foot} {full_address('/notices/')}".rstrip()])
        return subject(delivery), text + "\n"


def subject(delivery: Delivery) -> str:
    """One line that says it all; the active language."""
    if delivery.message == Message.TEST:
        return "[Flotilla] " + _("Test of the channel “%(name)s”") % {"name": delivery.channel.name}
    parts = parts_of(delivery)
    if delivery.message == Message.SUMMARY:
        n = len(parts)
        return "[Flotilla] " + ngettext(
            "%(n)d notice from the quiet hours", "%(n)d notices from the quiet hours", n
        ) % {"n": n}
    lines = [
        f"{_head(notice, over=over)}: {sentence(notice.kind, notice.values, over=over)}"
        for notice, over in parts
    ]
    return f"[Flotilla] {' '.join(lines)}"


def full_address(link: str) -> str:
    """The whole address of a page; empty while the console does not know its own address."""
    base: str = settings.PUBLIC_URL
    return f"{base}{link}" if base and link else ""


def _head(notice: Notice, *, over: bool) -> str:
    return _("Over") if over else str(Severity(notice.severity).label)


def _block(notice: Notice, channel: Channel, *, over: bool) -> str:
    lines = [
        f"{_head(notice, over=over)} · {label(notice.kind)}",
        one_line(sentence(notice.kind, notice.values, over=over)),
        _("Since: %(when)s") % {"when": _moment(notice.occurred, channel)},
    ]
    if over and notice.resolved:
        lines.append(_("Over since: %(when)s") % {"when": _moment(notice.resolved, channel)})
    if notice.count > 1:
        lines.append(_("It came %(n)d times.") % {"n": notice.count})
    if address := full_address(notice.link):
        lines.append(address)
    return "\n".join(lines)


def _moment(moment: datetime, channel: Channel) -> str:
    with timezone.override(channel.time_zone):
        local = timezone.localtime(moment)
        return f"{date_format(local, 'Y-m-d H:i')} {local.tzname()}"
