"""The forms that add nodes to a cluster, remove one, and replace one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from clusters.models import Cluster, Profile
from provisioning.clusters import unsuitable
from provisioning.forms_operations import OperationForm
from provisioning.forms_placement import CONTROL_PLANE, NOT_USED, WORKER, PlacementForm
from provisioning.membership import members
from provisioning.models import Host
from provisioning.models_hosts import ClusterRole
from provisioning.steps.base import Problem

if TYPE_CHECKING:
    HostChoiceField = forms.ModelChoiceField[Host]
else:
    HostChoiceField = forms.ModelChoiceField

MOST_HOSTS_SHOWN = 500


def free_hosts() -> list[Host]:
    """The hosts that serve no cluster, in the order of their names."""
    free = Host.objects.filter(cluster=None).prefetch_related("cleanups")
    return list(free.order_by("name")[:MOST_HOSTS_SHOWN])


class EvenNumber(forms.Form):
    """The confirmation that an even number of control planes is meant.

    It is only asked for once it is needed: show() of the problem "even" brings it up.
    """

    accept_even = forms.BooleanField(
        label=_("I mean it: an even number of control planes, for a while"), required=False
    )

    @property
    def asks_even(self) -> bool:
        """Whether the box is to be shown."""
        return bool(self.errors.get("accept_even") or self["accept_even"].value())


class AddNodesForm(EvenNumber, PlacementForm):
    """A role for each free host; control planes only for a standard cluster."""

    def __init__(self, *args: Any, cluster: Cluster, **kwargs: Any) -> None:
        standard = cluster.profile == Profile.STANDARD
        roles = (NOT_USED, WORKER, CONTROL_PLANE) if standard else (NOT_USED, WORKER)
        # A host that was taken while the form was filled in is shown with its problem.
        sent = _named(args[0]) if args and args[0] else []
        taken = Host.objects.exclude(cluster=None).filter(pk__in=sent).prefetch_related("cleanups")
        super().__init__(*args, hosts=[*free_hosts(), *taken], roles=roles, **kwargs)

    def values(self) -> dict[str, Any]:
        """For cluster_operations; call is_valid() first, and this whatever it says."""
        return {
            "control_plane": self.chosen(ClusterRole.CONTROL_PLANE),
            "workers": self.chosen(ClusterRole.WORKER),
            "accept_even": bool(self.cleaned_data.get("accept_even")),
        }


class MemberField(HostChoiceField):
    """A host of the cluster, with its role and whether it answers."""

    def label_from_instance(self, obj: Any) -> str:
        """Name, role and state."""
        return f"{obj.name} · {obj.get_cluster_role_display()} · {obj.get_state_display()}"


class FreeHostField(HostChoiceField):
    """A host of no cluster."""

    def label_from_instance(self, obj: Any) -> str:
        """Name and address."""
        return f"{obj.name} · {obj.address}"


class NodeForm(OperationForm, EvenNumber):
    """What removing and replacing a node share: which host, and whether by force."""

    host = MemberField(
        label=_("Host"),
        queryset=Host.objects.none(),
        required=False,
        empty_label=_("Choose a host"),
    )
    force = forms.BooleanField(
        label=_("Also lose pods that no controller starts anew"),
        required=False,
        help_text=_(
            "Without it the drain stops at a pod that was started by hand, and says which one."
        ),
    )

    def __init__(self, *args: Any, cluster: Cluster, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cluster = cluster
        self.members = members(cluster)
        field = self.fields["host"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = Host.objects.filter(cluster=cluster).order_by("cluster_index")

    @property
    def leaving(self) -> Host | None:
        """The member that is chosen, also before anything was sent."""
        chosen = str(self["host"].value() or "")
        return next((host for host in self.members if str(host.pk) == chosen), None)

    def values(self) -> dict[str, Any]:
        """For cluster_operations; call is_valid() first, and this whatever it says."""
        data = self.cleaned_data
        return {
            "host": data.get("host"),
            "accept_even": bool(data.get("accept_even")),
            "force": bool(data.get("force")),
        }


class RemoveNodeForm(NodeForm):
    """Removing asks for the name of a control plane, once its plan is launched."""

    confirm_name = forms.CharField(label=_("Name"), required=False, strip=True)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["confirm_name"].widget.attrs.update(
            {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}
        )

    @property
    def asks_name(self) -> bool:
        """Whether the host's name must be typed."""
        leaving = self.leaving
        return leaving is not None and leaving.cluster_role == ClusterRole.CONTROL_PLANE

    def confirmed(self) -> bool:
        """Whether the name was typed where it is asked for; else says so at its field."""
        leaving = self.leaving
        if not self.asks_name or leaving is None:
            return True
        if self.cleaned_data.get("confirm_name") == leaving.name:
            return True
        text = gettext("This is not the name. Type “%(name)s” to confirm.") % {"name": leaving.name}
        self.add_error("confirm_name", text)
        return False


class ReplaceNodeForm(NodeForm):
    """Who leaves, dead or alive, and who takes the place."""

    replacement = FreeHostField(
        label=_("Replacement"),
        queryset=Host.objects.none(),
        required=False,
        empty_label=_("Choose a free host"),
        help_text=_("It takes the role of the host that leaves."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        free = free_hosts()
        problems = unsuitable(free)
        self.unsuitable = [(host, problems[host.pk]) for host in free if host.pk in problems]
        self.free = [host for host in free if host.pk not in problems]
        field = self.fields["replacement"]
        assert isinstance(field, forms.ModelChoiceField)
        # Whatever is sent is looked at by the operation, which says why it may not be.
        shown = Q(pk__in=[host.pk for host in self.free])
        if self.is_bound and str(self.data.get("replacement", "")).isdigit():
            shown |= Q(pk=int(self.data["replacement"]))
        field.queryset = Host.objects.filter(shown).order_by("name")
        self.order_fields(["host", "replacement", "force", "accept_even"])

    def values(self) -> dict[str, Any]:
        """For cluster_operations; call is_valid() first, and this whatever it says."""
        return {**super().values(), "replacement": self.cleaned_data.get("replacement")}

    def field_of(self, problem: Problem) -> str:
        """A problem of the host that takes the place is one of that field."""
        chosen = self.cleaned_data.get("replacement")
        if problem.host and isinstance(chosen, Host) and chosen.pk == problem.host:
            return "replacement"
        return super().field_of(problem)


def _named(data: Mapping[str, Any]) -> list[int]:
    """The numbers of the hosts whose role was sent."""
    keys = (str(key).removeprefix("role-") for key in data if str(key).startswith("role-"))
    return [int(key) for key in keys if key.isascii() and key.isdigit() and len(key) < 19]
