"""Forms for channels and rules. The API validates with them too."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from console.notices.catalogue import KINDS
from console.notices.mail import clean_addresses
from console.notices.models import Channel, ChannelType, Rule, Severity
from console.notices.webhook import Undelivered, target

LONGEST_WAIT = 24 * 3600


def zones() -> list[tuple[str, str]]:
    """Time zones to choose from, UTC first."""
    names = sorted(name for name in available_timezones() if "/" in name)
    plain = [name for name in names if not name.startswith(("Etc/", "posix/", "right/", "SystemV"))]
    return [("UTC", "UTC"), *((name, name.replace("_", " ")) for name in plain)]


class ChannelForm(forms.Form):
    """One channel; its type is given and never changes."""

    name = forms.CharField(
        label=_("Name"), max_length=80, widget=forms.TextInput(attrs={"autocomplete": "off"})
    )
    address = forms.CharField(max_length=1000)
    language = forms.ChoiceField(
        label=_("Language of the messages"), choices=settings.LANGUAGES, required=False
    )
    enabled = forms.BooleanField(label=_("On"), required=False)
    quiet_from = forms.TimeField(
        label=_("Quiet from"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )  # fmt: skip
    quiet_until = forms.TimeField(
        label=_("Quiet until"),
        required=False,
        widget=forms.TimeInput(attrs={"type": "time"}, format="%H:%M"),
    )
    time_zone = forms.ChoiceField(label=_("Time zone"), choices=zones, required=False)
    break_through = forms.MultipleChoiceField(
        label=_("Goes out in quiet hours too"),
        choices=Severity.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )

    def __init__(
        self, *args: Any, kind: ChannelType, channel: Channel | None = None, **kwargs: Any
    ) -> None:
        self.kind, self.channel = kind, channel
        kwargs["initial"] = initial(channel)
        super().__init__(*args, **kwargs)
        address = self.fields["address"]
        if kind == ChannelType.WEBHOOK:
            address.label = _("Web address")
            address.widget = forms.URLInput(attrs={"placeholder": "https://example.com/hook"})
            address.help_text = _("Where the console posts to. Redirects are not followed.")
        else:
            address.label = _("E-mail addresses")
            address.widget = forms.TextInput(attrs={"placeholder": "ops@example.com"})
            address.help_text = _("One or more, separated by commas. All of them see each other.")

    def clean_name(self) -> str:
        """A name that no other channel has, in one line without control characters."""
        name: str = self.cleaned_data["name"]
        if not name.isprintable():
            raise forms.ValidationError(_("The name holds characters that cannot be shown."))
        same = Channel.objects.filter(name=name).first()
        if same is not None and same != self.channel:
            raise forms.ValidationError(
                _("There is a channel named “%(name)s” already: choose another name."),
                params={"name": name},
            )
        return name

    def clean_address(self) -> str:
        """A web address that the console may connect to, or e-mail addresses."""
        address: str = self.cleaned_data["address"]
        if self.kind == ChannelType.EMAIL:
            return ", ".join(clean_addresses(address))
        try:
            target(address)
        except Undelivered as error:
            raise forms.ValidationError(str(error)) from error
        return address

    def clean_language(self) -> str:
        """English where nothing is chosen."""
        return self.cleaned_data["language"] or settings.LANGUAGE_CODE

    def clean_time_zone(self) -> str:
        """UTC where nothing is chosen."""
        return self.cleaned_data["time_zone"] or "UTC"

    def clean(self) -> dict[str, Any]:
        """Quiet hours have two ends."""
        values: dict[str, Any] = super().clean() or {}
        if "quiet_from" not in values or "quiet_until" not in values:
            return values  # one of them is no time, which stands beside it
        begin, end = values["quiet_from"], values["quiet_until"]
        if (begin is None) != (end is None):
            missing = "quiet_until" if end is None else "quiet_from"
            self.add_error(missing, _("Give both times, or none."))
        elif begin is not None and begin == end:
            self.add_error(
                "quiet_until", _("This is when the quiet begins: switch the channel off instead.")
            )
        return values


class RuleForm(forms.Form):
    """Which notices go to a channel."""

    kinds = forms.MultipleChoiceField(
        label=_("Kinds"),
        choices=[(name, kind.label) for name, kind in KINDS.items()],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all, but tasks that succeeded."),
    )
    severities = forms.MultipleChoiceField(
        label=_("Severities"),
        choices=Severity.choices,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: all."),
    )
    clusters = forms.CharField(
        label=_("Clusters"),
        max_length=500,
        required=False,
        widget=forms.TextInput(attrs={"placeholder": "prod-*, edge-?", "autocomplete": "off"}),
        help_text=_("Names with * and ?, separated by commas. Empty: all, and what belongs to "
                    "no cluster."),
    )  # fmt: skip
    min_seconds = forms.IntegerField(
        label=_("Only what lasts longer than so many seconds"),
        min_value=0,
        max_value=LONGEST_WAIT,
        required=False,
        help_text=_("What is over before then is not told."),
    )

    def __init__(self, *args: Any, rule: Rule | None = None, **kwargs: Any) -> None:
        names = ("kinds", "severities", "clusters", "min_seconds")
        kwargs["initial"] = {n: getattr(rule, n) for n in names} if rule else {"min_seconds": 120}
        super().__init__(*args, **kwargs)

    def clean_min_seconds(self) -> int:
        """Nothing given: at once."""
        return self.cleaned_data["min_seconds"] or 0

    def clean_clusters(self) -> str:
        """Globs in one line."""
        text: str = self.cleaned_data["clusters"]
        if not text.isprintable():
            raise forms.ValidationError(_("The names hold characters that cannot be shown."))
        return text


def initial(channel: Channel | None) -> dict[str, Any]:
    """What a form shows first."""
    if channel is None:
        return {"enabled": True, "time_zone": settings.TIME_ZONE, "break_through": ["critical"]}
    return {name: getattr(channel, name) for name in ChannelForm.base_fields}
