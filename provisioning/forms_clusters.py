"""The form that creates a cluster, a role for each host included; kubeconfig hours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from clusters.models import Profile
from provisioning import versions
from provisioning.cluster_networks import POD_CIDR, SERVICE_CIDR
from provisioning.cluster_request import CONTROL_PLANES, MANIFEST, ROUTED, ClusterRequest
from provisioning.cluster_spec import facts_of
from provisioning.forms_placement import PlacementForm, network_of
from provisioning.kubeconfig import DEFAULT_HOURS, LEAST_HOURS, MOST_HOURS
from provisioning.models import Release, ReleaseState
from provisioning.models_hosts import ClusterRole

PLUGINS = [
    (
        ROUTED,
        _("Routed: bridge and routes in one layer-2 network. No images, no NetworkPolicy."),
    ),
    (MANIFEST, _("A manifest of your own, such as Calico, Cilium or kube-router.")),
]


@dataclass(frozen=True)
class PlannedTopology:
    """The cluster as it will be: names of hosts by role, and how many control planes lack.

    networks: the IPv4 networks of the chosen control planes, each once.
    """

    standard: bool
    vip: str
    control_plane: tuple[str, ...]
    workers: tuple[str, ...]
    networks: tuple[str, ...]

    @property
    def missing(self) -> range:
        """The control planes that are still to be chosen."""
        have = len(self.control_plane)
        wanted = next((n for n in CONTROL_PLANES if n >= have), have) if self.standard else 1
        return range(max(0, wanted - have))


class ClusterForm(PlacementForm):
    """Everything that a person chooses. What may not be is decided by provisioning.clusters."""

    profile = forms.CharField(label=_("Type"), initial=Profile.LIGHTWEIGHT)
    name = forms.CharField(
        label=_("Name"),
        required=False,
        help_text=_("Lower-case letters, digits and hyphens; kubectl shows it as the context."),
    )
    release = forms.ModelChoiceField(
        label=_("Kubernetes version"),
        queryset=Release.objects.none(),
        required=False,
        empty_label=None,
    )
    vip = forms.CharField(
        label=_("Virtual IP"),
        required=False,
        help_text=_("A free IPv4 address in the network of the control planes."),
    )
    pod_cidr = forms.CharField(
        label=_("Pod network"),
        initial=POD_CIDR,
        required=False,
        help_text=_("Each node gets a /24 of it."),
    )
    service_cidr = forms.CharField(
        label=_("Service network"),
        initial=SERVICE_CIDR,
        required=False,
        help_text=_("Addresses that exist inside of the cluster alone."),
    )
    network = forms.ChoiceField(
        label=_("Network plug-in"), choices=PLUGINS, initial=ROUTED, widget=forms.RadioSelect
    )
    network_manifest = forms.CharField(
        label=_("Manifest of the network plug-in"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text=_("YAML; only for a plug-in of your own."),
    )
    schedule_on_control_plane = forms.BooleanField(
        label=_("The control plane runs workloads too"), initial=True, required=False
    )
    # The type that the box above was shown for: its default is another one for another type.
    schedule_shown_for = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(_with_default(data) if data else None, **kwargs)
        releases = self.fields["release"]
        assert isinstance(releases, forms.ModelChoiceField)
        releases.queryset = Release.objects.filter(state=ReleaseState.READY).order_by("-created")
        releases.initial = self._fitting_release()
        self.fields["schedule_shown_for"].initial = Profile.LIGHTWEIGHT.value
        for name in ("name", "vip", "pod_cidr", "service_cidr"):
            self.fields[name].widget.attrs.update(autocomplete="off", spellcheck="false")
        self.fields["vip"].widget.attrs["inputmode"] = "decimal"

    def has_releases(self) -> bool:
        """Whether any release is ready."""
        releases = self.fields["release"]
        return bool(getattr(releases, "queryset", Release.objects.none()).exists())

    def request(self) -> ClusterRequest:
        """What is asked for; call is_valid() first, and this whatever it says."""
        data = self.cleaned_data
        standard = data.get("profile") == Profile.STANDARD
        return ClusterRequest(
            name=data.get("name", ""),
            profile=data.get("profile", ""),
            release=data.get("release"),
            control_plane=self.chosen(ClusterRole.CONTROL_PLANE),
            workers=self.chosen(ClusterRole.WORKER),
            pod_cidr=data.get("pod_cidr", ""),
            service_cidr=data.get("service_cidr", ""),
            network=data.get("network", ""),
            network_manifest=data.get("network_manifest", ""),
            schedule_on_control_plane=bool(data.get("schedule_on_control_plane")),
            # One that was typed before another type was chosen means nothing.
            vip=data.get("vip", "") if standard else "",
        )

    def topology(self) -> PlannedTopology:
        """The picture of what is chosen so far."""
        members = self.chosen(ClusterRole.CONTROL_PLANE)
        data = getattr(self, "cleaned_data", {}) if self.is_bound else {}
        return PlannedTopology(
            standard=str(self["profile"].value()) == Profile.STANDARD,
            vip=str(data.get("vip", "") or ""),
            control_plane=tuple(host.name for host in members),
            workers=tuple(host.name for host in self.chosen(ClusterRole.WORKER)),
            networks=tuple(dict.fromkeys(filter(None, map(network_of, members)))),
        )

    def _fitting_release(self) -> Release | None:
        """The newest release for the machines that can be chosen; else the newest at all."""
        free = [host for host in self._hosts if host.pk not in self._unsuitable]
        archs = {facts.arch for host in free if (facts := facts_of(host))}
        ready = Release.objects.filter(state=ReleaseState.READY)
        return max(ready, key=lambda release: _newness(release, archs), default=None)


def _newness(release: Release, archs: set[str]) -> tuple[bool, tuple[int, int, int]]:
    try:
        version = versions.parse(release.version)
    except ValueError:
        version = (0, 0, 0)
    return release.arch in archs, version


def _with_default(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was sent, with the box for workloads set anew when it belonged to another type.

    A page without JavaScript cannot set it when the type is chosen.
    """
    shown, profile = data.get("schedule_shown_for", ""), data.get("profile", "")
    if not shown or shown == profile:
        return data
    changed = {key: data[key] for key in data}
    changed.pop("schedule_on_control_plane", None)
    changed["schedule_shown_for"] = profile
    if profile == Profile.LIGHTWEIGHT:
        changed["schedule_on_control_plane"] = "on"
    return changed


def digest_of(request: ClusterRequest) -> str:
    """Changes with everything that is asked for: a launch must be of the plan that was shown."""
    return digest(
        request.name,
        request.profile,
        request.vip,
        request.release.pk if request.release else None,
        [host.pk for host in request.control_plane],
        [host.pk for host in request.workers],
        request.pod_cidr,
        request.service_cidr,
        request.options,
    )


def digest(*what: object) -> str:
    """A short fingerprint of plain values."""
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:24]


class KubeconfigForm(forms.Form):
    """For how long the certificate of a kubeconfig is good."""

    hours = forms.TypedChoiceField(
        label=_("Valid for"),
        coerce=int,
        initial=DEFAULT_HOURS,
        choices=[
            (hours, ngettext_lazy("%(n)d hour", "%(n)d hours", hours) % {"n": hours})
            for hours in (LEAST_HOURS, 4, DEFAULT_HOURS, 12)
        ]
        + [
            (days * 24, ngettext_lazy("%(n)d day", "%(n)d days", days) % {"n": days})
            for days in (1, 3, MOST_HOURS // 24)
        ],
    )
