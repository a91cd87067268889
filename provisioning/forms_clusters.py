"""The form that creates a cluster, a role for each host included; kubeconfig hours."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from clusters.models import Profile
from provisioning.cluster_networks import POD_CIDR, SERVICE_CIDR
from provisioning.cluster_request import MANIFEST, ROUTED, ClusterRequest
from provisioning.cluster_spec import facts_of
from provisioning.clusters import unsuitable
from provisioning.facts import Facts
from provisioning.kubeconfig import DEFAULT_HOURS, LEAST_HOURS, MOST_HOURS
from provisioning.models import Host, Release, ReleaseState
from provisioning.models_hosts import ClusterRole
from provisioning.steps.base import Problem

ROLES = [
    ("", _("Not used")),
    (ClusterRole.CONTROL_PLANE.value, _("Control plane")),
    (ClusterRole.WORKER.value, _("Worker")),
]
# What is chosen in the table of hosts has no field of its own.
PLACEMENT = ("control_plane", "workers", "hosts")
PLUGINS = [
    (
        ROUTED,
        _("Routed: bridge and routes in one layer-2 network. No images, no NetworkPolicy."),
    ),
    (MANIFEST, _("A manifest of your own, such as Calico, Cilium or kube-router.")),
]


@dataclass
class HostRow:
    """One host of the form's table: its facts, the field of its role, and what is wrong with it."""

    host: Host
    facts: Facts | None
    field: Any
    problem: Problem | None
    problems: list[Problem]

    @property
    def disk_free(self) -> int | None:
        """Bytes that are free where Kubernetes keeps its data; None when not known."""
        disk = self.facts.disk("/var/lib/kubelet") if self.facts else None
        return disk.free if disk else None


class ClusterForm(forms.Form):
    """Everything that a person chooses. What may not be is decided by provisioning.clusters.

    Fields are lenient on purpose: the checks that the API needs too live in one
    place, and their problems come back to the fields with show().
    """

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
        label=_("Network plug-in"),
        choices=PLUGINS,
        initial=ROUTED,
        widget=forms.RadioSelect(attrs={"class": "form-check-input"}),
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

    def __init__(self, *args: Any, hosts: Iterable[Host], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._hosts = list(hosts)
        self._unsuitable = unsuitable(self._hosts)
        releases = self.fields["release"]
        assert isinstance(releases, forms.ModelChoiceField)
        releases.queryset = Release.objects.filter(state=ReleaseState.READY).order_by("-created")
        for name in ("name", "pod_cidr", "service_cidr"):
            self.fields[name].widget.attrs.update(autocomplete="off", spellcheck="false")
        for host in self._hosts:
            self.fields[_role(host)] = forms.ChoiceField(
                label=_("Role of %(host)s") % {"host": host.name},
                choices=ROLES,
                required=False,
                disabled=host.pk in self._unsuitable and not self.is_bound,
            )
        self.host_problems: dict[int, list[Problem]] = {}
        self.placement_problems: list[Problem] = []
        self.other_problems: list[Problem] = []

    @property
    def has_problems(self) -> bool:
        """Whether anything speaks against what was sent."""
        return bool(
            self.errors or self.host_problems or self.placement_problems or self.other_problems
        )

    def has_releases(self) -> bool:
        """Whether any release is ready."""
        releases = self.fields["release"]
        return bool(getattr(releases, "queryset", Release.objects.none()).exists())

    def request(self) -> ClusterRequest:
        """What is asked for; call is_valid() first, and this whatever it says."""
        data = self.cleaned_data
        chosen: dict[str, list[Host]] = {ClusterRole.CONTROL_PLANE: [], ClusterRole.WORKER: []}
        for host in self._hosts:
            role = data.get(_role(host))
            if role in chosen:
                chosen[role].append(host)
        return ClusterRequest(
            name=data.get("name", ""),
            profile=data.get("profile", ""),
            release=data.get("release"),
            control_plane=tuple(chosen[ClusterRole.CONTROL_PLANE]),
            workers=tuple(chosen[ClusterRole.WORKER]),
            pod_cidr=data.get("pod_cidr", ""),
            service_cidr=data.get("service_cidr", ""),
            network=data.get("network", ""),
            network_manifest=data.get("network_manifest", ""),
            schedule_on_control_plane=bool(data.get("schedule_on_control_plane")),
        )

    def show(self, problems: Iterable[Problem]) -> None:
        """Put each problem beside its field or its host."""
        for problem in problems:
            if problem.host:
                self.host_problems.setdefault(problem.host, []).append(problem)
            elif problem.field in PLACEMENT:
                self.placement_problems.append(problem)
            elif problem.field in self.fields:
                self.add_error(problem.field, f"{problem.what} {problem.mend}")
            else:
                self.other_problems.append(problem)

    def rows(self) -> list[HostRow]:
        """The hosts' table: those that can be chosen first."""
        rows = [
            HostRow(
                host=host,
                facts=facts_of(host),
                field=self[_role(host)],
                problem=self._unsuitable.get(host.pk),
                problems=self.host_problems.get(host.pk, []),
            )
            for host in self._hosts
        ]
        return sorted(rows, key=lambda row: (row.problem is not None, row.host.name))


def _role(host: Host) -> str:
    return f"role-{host.pk}"


def digest_of(request: ClusterRequest) -> str:
    """Changes with everything that is asked for: a launch must be of the plan that was shown."""
    what = [
        request.name,
        request.profile,
        request.release.pk if request.release else None,
        [host.pk for host in request.control_plane],
        [host.pk for host in request.workers],
        request.pod_cidr,
        request.service_cidr,
        request.options,
    ]
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
