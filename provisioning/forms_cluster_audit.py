"""What to look for in a cluster's own audit log."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from provisioning.cluster_audit import users_called
from provisioning.cluster_audit_lines import CHANGES, READS, Query

MINUTES = {
    "15": _("15 minutes"),
    "60": _("an hour"),
    "360": _("6 hours"),
    "1440": _("a day"),
    "10080": _("a week"),
    "43200": _("30 days"),
}
VERBS = {"changes": CHANGES, "reads": READS}
_PLAIN = RegexValidator(r"\A[\w.:@/+-]+\Z", _("Letters, digits and . : @ / + - only."))


class AuditLogForm(forms.Form):
    """Around which moment, whose calls, and which."""

    request = forms.CharField(
        label=_("Request id"), required=False, max_length=64, min_length=8, validators=[_PLAIN]
    )
    who = forms.CharField(label=_("Who"), required=False, max_length=150)
    verb = forms.ChoiceField(
        label=_("Verb"),
        required=False,
        choices=[
            ("", _("Any")),
            ("changes", _("Changes")),
            ("reads", _("Reads")),
            *((verb, verb) for verb in (*CHANGES, *READS)),
        ],
    )
    resource = forms.CharField(
        label=_("Resource"),
        required=False,
        max_length=63,
        validators=[_PLAIN],
        widget=forms.TextInput(attrs={"placeholder": "pods"}),
    )
    at = forms.DateTimeField(
        label=_("Around"),
        required=False,
        widget=forms.DateTimeInput(
            format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local", "max": "9000-01-01T00:00"}
        ),
    )
    minutes = forms.ChoiceField(
        label=_("How far"), required=False, choices=list(MINUTES.items()), initial="15"
    )
    callers = forms.ChoiceField(
        label=_("Whose calls"),
        required=False,
        choices=[("", _("People's")), ("all", _("Everybody's"))],
    )

    def query(self) -> Query:
        """What was asked for. Without a moment: until now. Only after is_valid()."""
        asked: dict[str, Any] = self.cleaned_data
        far = timedelta(minutes=int(asked["minutes"] or 15))
        at = asked["at"]
        now = timezone.now()
        return Query(
            since=(at or now) - far,
            until=at + far if at else now,
            request=asked["request"],
            users=users_called(asked["who"]),
            verbs=VERBS.get(asked["verb"], (asked["verb"],) if asked["verb"] else ()),
            resource=asked["resource"],
            everybody=asked["callers"] == "all",
        )

    def asked(self) -> dict[str, str]:
        """What was filled in, as the audit event of looking keeps it."""
        found = {name: self.cleaned_data[name] for name in self.fields}
        return {name: str(value) for name, value in found.items() if value}
