"""Saved views: those that are built in, and those that people keep; each change is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django import forms
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.http import QueryDict
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.accounts.models import User
from console.audit import kinds
from console.audit.filters import AuditEventFilter
from console.audit.looking import chosen
from console.audit.models import AuditEvent
from console.audit.models_views import QUERY_LENGTH, SavedView
from console.audit.record import record

# More than a person keeps apart by their names.
MOST = 100
TIMELINE = "timeline"
BUILT_IN = (
    (gettext_lazy("Failed sign-ins"), {"action": "auth.sign_in_failed"}),
    (gettext_lazy("Denied"), {"outcome": "denied"}),
    *((label, {"kind": name}) for name, (label, _wanted) in kinds.KINDS.items()),
)


@dataclass(frozen=True)
class View:
    """One entry of the page: row is None where it is built in."""

    name: str
    query: str
    row: SavedView | None = None
    own: bool = False

    @property
    def address(self) -> str:
        """Where the list shows it."""
        return f"{reverse('audit:list')}?{self.query}"

    @property
    def filters(self) -> list[tuple[str, str]]:
        """(label, value) of each filter, as the list's form has them."""
        return described(self.query)


class SavedViewForm(forms.ModelForm):  # type: ignore[type-arg]
    """Name, and whether others see it."""

    class Meta:
        model = SavedView
        fields = ("name", "shared")

    def clean_name(self) -> str:
        """The name. Invalid where the owner has another view of it."""
        name: str = self.cleaned_data["name"]
        same = SavedView.objects.filter(owner_id=self.instance.owner_id, name=name)
        if same.exclude(pk=self.instance.pk).exists():
            raise forms.ValidationError(taken())
        return name


def taken() -> str:
    """What is said of a name that the owner has already used."""
    return _("You have a view of this name already: choose another one.")


def built_in() -> list[View]:
    """The views that every console has."""
    return [View(str(label), urlencode(query)) for label, query in BUILT_IN]


def visible(user: User) -> QuerySet[SavedView]:
    """The person's own views and those that are shared."""
    return SavedView.objects.filter(Q(owner=user) | Q(shared=True)).select_related("owner")


def views_of(user: User) -> list[View]:
    """What the person may open: built in, own, shared."""
    rows = [View(row.name, row.query, row, row.owner_id == user.pk) for row in visible(user)]
    rows.sort(key=lambda view: not view.own)
    return [*built_in(), *rows]


def query_of(given: QueryDict) -> str:
    """The filter of an address in one spelling, empty where it narrows nothing down.

    The timeline is kept, a place in the list is not.
    """
    found = chosen(AuditEventFilter(given, queryset=AuditEvent.objects.none()))
    if found and given.get("view") == TIMELINE:
        found["view"] = TIMELINE
    return urlencode(sorted(found.items()))


def described(query: str) -> list[tuple[str, str]]:
    """(label, value) of each filter of a saved query, in the form's words."""
    given = QueryDict(query)
    form = AuditEventFilter(given, queryset=AuditEvent.objects.none()).form
    found = []
    for name, text in given.items():
        field = form.fields.get(name)
        choices = dict(getattr(field, "choices", ()))
        # The timeline is the one that is no filter.
        label = field.label if field else _("Show as")
        found.append((str(label), str(choices.get(text, text if field else _("Timeline")))))
    return found


def problem_of(query: str, owner: User) -> str:
    """Why this filter cannot be kept, or the empty text."""
    if not query:
        return _("Choose a filter first: a view of everything is the list itself.")
    if len(query) > QUERY_LENGTH:
        return _("This filter is too long to be kept.")
    if not AuditEventFilter(QueryDict(query)).form.is_valid():
        return _("A part of the filter is not right: correct it in the list first.")
    if SavedView.objects.filter(owner=owner).count() >= MOST:
        return _("You have %(most)d views: delete one first.") % {"most": MOST}
    return ""


def save(form: SavedViewForm, request: Any) -> bool:
    """Keep a new or changed view and record it; False where the name was taken meanwhile."""
    new = form.instance.pk is None
    before = None if new else SavedView.objects.get(pk=form.instance.pk)
    try:
        with transaction.atomic():
            row = form.save()
            action = "audit_view.saved" if new else "audit_view.changed"
            record(action, row, request=request, before=before, after=row)
    except IntegrityError:
        form.add_error("name", taken())
        return False
    return True


def remove(row: SavedView, request: Any) -> None:
    """Forget a view and record it."""
    with transaction.atomic():
        record("audit_view.removed", row, request=request, before=row)
        row.delete()
