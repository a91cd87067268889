"""Quantities as people write them: 2 GiB, 1.5 CPU, 3 min 05 s."""

from __future__ import annotations

from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
MINUTE, HOUR, DAY = 60, 3600, 86400


def _short(value: float) -> str:
    """At most three significant figures, without a trailing .0."""
    figure = f"{value:.0f}" if value >= 100 else f"{value:.1f}".removesuffix(".0")
    return str(localize(float(figure)) if "." in figure else figure)


def bytes_text(count: float) -> str:
    """2147483648 -> "2 GiB"."""
    value, unit = float(count), UNITS[0]
    for unit in UNITS:
        if abs(value) < 1024 or unit == UNITS[-1]:
            break
        value /= 1024
    return f"{_short(value)} {unit}"


def cpus_text(count: float) -> str:
    """0.25 -> "0.25 CPU", 4 -> "4 CPU"."""
    figure = f"{float(count):.2f}".rstrip("0").rstrip(".")
    return f"{figure} CPU"


def duration_text(seconds: float) -> str:
    """0.4 -> "0.4 s", 65 -> "1 min 05 s", 3700 -> "1 h 01 min", 90000 -> "1 d 1 h"."""
    seconds = max(seconds, 0)
    if seconds < 9.95:
        return _("%(seconds)s s") % {"seconds": _short(seconds)}
    whole = round(seconds)
    if whole < MINUTE:
        return _("%(seconds)s s") % {"seconds": whole}
    if whole < HOUR:
        return _("%(minutes)d min %(seconds)02d s") % {
            "minutes": whole // MINUTE,
            "seconds": whole % MINUTE,
        }
    if whole < DAY:
        return _("%(hours)d h %(minutes)02d min") % {
            "hours": whole // HOUR,
            "minutes": whole % HOUR // MINUTE,
        }
    return _("%(days)d d %(hours)d h") % {"days": whole // DAY, "hours": whole % DAY // HOUR}


def ago_text(seconds: float) -> str:
    """Seconds since (negative: until) an instant, as people say it."""
    distance = abs(seconds)
    if distance < 10:
        return _("just now") if seconds >= 0 else _("in a moment")
    for size, past, future in (
        (DAY, _days_ago, _in_days),
        (HOUR, _hours_ago, _in_hours),
        (MINUTE, _minutes_ago, _in_minutes),
        (1, _seconds_ago, _in_seconds),
    ):
        if distance >= size:
            return past(int(distance // size)) if seconds >= 0 else future(int(distance // size))
    return _("just now")


def _days_ago(n: int) -> str:
    return ngettext("%(n)d day ago", "%(n)d days ago", n) % {"n": n}


def _hours_ago(n: int) -> str:
    return ngettext("%(n)d hour ago", "%(n)d hours ago", n) % {"n": n}


def _minutes_ago(n: int) -> str:
    return ngettext("%(n)d minute ago", "%(n)d minutes ago", n) % {"n": n}


def _seconds_ago(n: int) -> str:
    return ngettext("%(n)d second ago", "%(n)d seconds ago", n) % {"n": n}


def _in_days(n: int) -> str:
    return ngettext("in %(n)d day", "in %(n)d days", n) % {"n": n}


def _in_hours(n: int) -> str:
    return ngettext("in %(n)d hour", "in %(n)d hours", n) % {"n": n}


def _in_minutes(n: int) -> str:
    return ngettext("in %(n)d minute", "in %(n)d minutes", n) % {"n": n}


def _in_seconds(n: int) -> str:
    return ngettext("in %(n)d second", "in %(n)d seconds", n) % {"n": n}
