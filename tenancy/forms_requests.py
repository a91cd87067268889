"""The forms in which people ask for more, and answer."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.models import Cluster, ResourcePool, dns_label
from console.accounts.models import User
from tenancy import amounts, raises
from tenancy.models import Namespace, Request, RequestKind, Tenant, TenantRole
from tenancy.namespace_rules import check_name
from tenancy.request_actions import Wish

LONGEST = timedelta(days=366)
_PLAIN = {"autocomplete": "off", "spellcheck": "false"}


class UntilField(forms.DateTimeField):
    """A moment in the future, at most a year away; empty: for good."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=gettext_lazy("Until"),
            required=False,
            help_text=gettext_lazy("Afterwards it counts no longer. Empty: for good."),
            **kwargs,
        )

    def clean(self, value: Any) -> datetime | None:
        """The moment, or None."""
        moment: datetime | None = super().clean(value)
        if moment is None:
            return None
        if moment <= timezone.now():
            raise ValidationError(_("This is over already: choose a moment in the future."))
        if moment > timezone.now() + LONGEST:
            raise ValidationError(_("Choose a moment within a year, or leave it empty."))
        return moment


class ReasonedForm(forms.Form):
    """What every wish has."""

    reason = forms.CharField(
        label=gettext_lazy("Why"),
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("Whoever answers reads it."),
    )

    def __init__(self, *args: Any, tenant: Tenant, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.tenant = tenant


class AmountsForm(forms.Form):
    """One field for each resource that a quota limits: by how much more.

    The field of "requests.cpu" is named so too, as API and rows name it.
    """

    def add_amounts(self, hard: dict[str, str], given: dict[str, str] | None = None) -> None:
        """hard: the limits as they are; given: what the fields begin with."""
        self.limited = [key for key in amounts.RESOURCES if key in hard]
        for key in self.limited:
            resource = amounts.RESOURCES[key]
            self.fields[key] = forms.CharField(
                label=str(resource.label),
                required=False,
                max_length=40,
                initial=(given or {}).get(key, ""),
                widget=forms.TextInput(attrs={**_PLAIN, "placeholder": "+ 0"}),
                help_text=_("%(limit)s now")
                % {"limit": amounts.human(key, amounts.parse(key, hard[key]))},
            )

    def amounts_given(self) -> dict[str, str]:
        """{resource: quantity} of what was filled in, each more than nothing.

        What is wrong is added beside its field.
        """
        found: dict[str, str] = {}
        for key in self.limited:
            raw = str(self.cleaned_data.get(key) or "").strip().lstrip("+").strip()
            if not raw:
                continue
            try:
                amount = amounts.parse(key, raw)
            except ValueError as error:
                self.add_error(key, str(error))
                continue
            if amount:
                found[key] = amounts.text(key, amount)
        return found


class QuotaRequestForm(AmountsForm, ReasonedForm):
    """More of what a quota limits, for good or until a moment."""

    until = UntilField()

    def __init__(self, *args: Any, cluster: Cluster | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cluster = cluster
        self.add_amounts(raises.in_scope(self.tenant, cluster))
        self.order_fields([*self.limited, "until", "reason"])

    def clean(self) -> dict[str, Any]:
        """At least one amount."""
        self.more = self.amounts_given()
        if not self.more and not self.errors:
            raise ValidationError(_("Say of what you need more: fill in at least one amount."))
        return self.cleaned_data

    def wish(self) -> Wish:
        """What is asked for."""
        data = self.cleaned_data
        return Wish(
            RequestKind.QUOTA, cluster=self.cluster, wish=self.more, reason=data["reason"],
            until=data["until"],
        )  # fmt: skip


class PlaceRequestForm(ReasonedForm):
    """A cluster or a pool that the tenant may not use yet."""

    place = forms.ChoiceField(label=gettext_lazy("Cluster or pool"))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        granted = {g.cluster_id: set(g.pools.all()) for g in self.tenant.clusters.all()}
        free = [c for c in Cluster.objects.all() if not c.hosts_console]
        self.clusters = {c.pk: c for c in free if c.pk not in granted}
        pools = ResourcePool.objects.filter(deleting=False).select_related("cluster")
        self.pools = {
            p.pk: p
            for p in pools
            # A tenant with a whole cluster has its pools too.
            if (p.cluster_id not in granted and not p.cluster.hosts_console)
            or (granted[p.cluster_id] and p not in granted[p.cluster_id])
        }
        self.fields["place"].choices = [  # type: ignore[attr-defined]
            *((f"cluster-{pk}", _("%(name)s, whole") % {"name": c.name})
              for pk, c in self.clusters.items()),
            *((f"pool-{pk}", _("%(cluster)s, pool %(pool)s")
               % {"cluster": p.cluster.name, "pool": p.name}) for pk, p in self.pools.items()),
        ]  # fmt: skip
        self.order_fields(["place", "reason"])

    def wish(self) -> Wish:
        """What is asked for."""
        kind, _dash, number = self.cleaned_data["place"].partition("-")
        reason = self.cleaned_data["reason"]
        if kind == RequestKind.POOL:
            return Wish(RequestKind.POOL, pool=self.pools[int(number)], reason=reason)
        return Wish(RequestKind.CLUSTER, cluster=self.clusters[int(number)], reason=reason)


class NamespaceRequestForm(ReasonedForm):
    """A namespace that somebody of the tenant should make; it gets the tenant's defaults."""

    cluster = forms.ModelChoiceField(
        Cluster.objects.none(), label=gettext_lazy("Cluster"), empty_label=None
    )
    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=63,
        validators=[dns_label, check_name],
        widget=forms.TextInput(attrs=_PLAIN),
    )
    description = forms.CharField(label=gettext_lazy("Description"), max_length=255, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["cluster"]
        field.queryset = Cluster.objects.filter(tenants__tenant=self.tenant).order_by("name")
        self.order_fields(["cluster", "name", "description", "reason"])

    def clean(self) -> dict[str, Any]:
        """A name that is free on the cluster."""
        data = self.cleaned_data
        name, cluster = data.get("name"), data.get("cluster")
        if name and cluster and Namespace.objects.filter(cluster=cluster, name=name).exists():
            self.add_error(
                "name",
                _("“%(name)s” is taken on %(cluster)s: choose another name.")
                % {"name": name, "cluster": cluster.name},
            )
        return data

    def wish(self) -> Wish:
        """What is asked for."""
        data = self.cleaned_data
        return Wish(
            RequestKind.NAMESPACE,
            cluster=data["cluster"],
            wish={"name": data["name"], "description": data["description"]},
            reason=data["reason"],
        )


class MemberRequestForm(ReasonedForm):
    """Somebody who should belong to the tenant."""

    user = forms.CharField(
        label=gettext_lazy("User name"), max_length=150, widget=forms.TextInput(attrs=_PLAIN)
    )
    role = forms.ChoiceField(
        label=gettext_lazy("Role"),
        choices=[c for c in TenantRole.choices if c[0] != TenantRole.OWNER],
        initial=TenantRole.DEVELOPER,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["user", "role", "reason"])

    def clean_user(self) -> str:
        """The name of somebody who is there and no member yet."""
        name: str = self.cleaned_data["user"]
        user = User.objects.filter(username=name, is_active=True).first()
        if user is None:
            raise ValidationError(
                _("Nobody is called “%(name)s” here: an admin makes users first."),
                params={"name": name},
            )
        if self.tenant.memberships.filter(user=user).exists():
            raise ValidationError(
                _("%(name)s belongs to this tenant already."), params={"name": name}
            )
        return name

    def wish(self) -> Wish:
        """What is asked for."""
        data = self.cleaned_data
        return Wish(
            RequestKind.MEMBERSHIP,
            wish={"user": data["user"], "role": data["role"]},
            reason=data["reason"],
        )


class AnswerForm(AmountsForm):
    """Approve, change and approve, or refuse."""

    until = UntilField()
    answer = forms.CharField(
        label=gettext_lazy("Answer"),
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 2}),
        help_text=gettext_lazy("The one who asked reads it. Needed to refuse."),
    )

    def __init__(self, *args: Any, row: Request, refusing: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.row, self.refusing = row, refusing
        self.limited = []
        if row.kind == RequestKind.QUOTA:
            self.add_amounts(raises.in_scope(row.tenant, row.cluster), row.wish)
            self.fields["until"].initial = row.until
            self.order_fields([*self.limited, "until", "answer"])
        else:
            del self.fields["until"]

    def clean(self) -> dict[str, Any]:
        """A reason for a refusal, an amount for an approval."""
        data = self.cleaned_data
        if self.refusing:
            if not str(data.get("answer") or "").strip():
                self.add_error("answer", _("Say why: the one who asked reads it."))
            return data
        self.granted: dict[str, Any] = self.row.wish
        if self.row.kind == RequestKind.QUOTA:
            self.granted = self.amounts_given()
            if not self.granted and not self.errors:
                raise ValidationError(_("Give at least one amount, or refuse the request."))
        return data
