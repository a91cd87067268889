"""The form of the quick start: fields for people who know little Kubernetes.

What may be chosen is what the namespace's tenant may use; what is wrong is said beside its
field, before anything is asked of the cluster.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from clusters.models import Object, dns_label
from console.ui.forms import ConfirmNameForm
from tenancy import amounts
from tenancy.fit import from_one_of
from tenancy.forms_environment import (
    PARTS,
    PLAIN,
    SUBDOMAIN,
    add_rows,
    count_of,
    environment_fields,
    variables,
)
from tenancy.models import Namespace
from tenancy.quick_start import App

MOST_REPLICAS = 1000
QUANTITIES = ("cpu_request", "cpu_limit", "memory_request", "memory_limit")

# "Images" of Kubernetes, grammar of github.com/distribution/reference.
_PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9](?:[-A-Za-z0-9.]{0,252}[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
    rf"{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?"
    r"(?:@[A-Za-z][A-Za-z0-9+._-]{0,40}:[0-9a-fA-F]{32,128})?"
)


def _words(label: Any, help_text: Any) -> forms.CharField:
    return forms.CharField(
        label=label, required=False, max_length=8192, strip=False, help_text=help_text,
        widget=forms.Textarea(attrs={**PLAIN, "rows": 2, "class": "font-monospace"}),
    )  # fmt: skip


def _quantity(label: Any, placeholder: str, **more: Any) -> forms.CharField:
    attrs = {**PLAIN, "placeholder": placeholder}
    return forms.CharField(
        label=label, required=False, max_length=40, widget=forms.TextInput(attrs=attrs), **more
    )


def _port(label: Any, help_text: Any) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, required=False, min_value=1, max_value=65535, help_text=help_text
    )


class QuickStartForm(forms.Form):
    """An application in a namespace. app: after is_valid(), what the fields mean."""

    name = forms.CharField(
        label=gettext_lazy("Name"),
        max_length=63,
        validators=[dns_label],
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": "shop"}),
        help_text=gettext_lazy("Small letters, digits and hyphens; everything is called so."),
    )
    image = forms.CharField(
        label=gettext_lazy("Image"),
        max_length=500,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": "registry.example/shop:1.4"}),
    )
    replicas = forms.IntegerField(
        label=gettext_lazy("Replicas"),
        min_value=0,
        max_value=MOST_REPLICAS,
        initial=1,
        help_text=gettext_lazy("How many pods run at the same time; 0 stops it."),
    )
    command = _words(
        gettext_lazy("Command"),
        gettext_lazy("In place of the image's own, quoted as in a shell: sh -c 'echo hello'."),
    )
    arguments = _words(gettext_lazy("Arguments"), gettext_lazy("Written in the same way."))
    port = _port(
        gettext_lazy("Port of the container"),
        gettext_lazy("On which the application listens; empty when it does not."),
    )
    service = forms.BooleanField(
        label=gettext_lazy("Other pods reach it by its name (a Service)"), required=False
    )
    service_port = _port(
        gettext_lazy("Port of the Service"), gettext_lazy("Empty: the container's.")
    )
    cpu_request = _quantity(gettext_lazy("CPU it asks for"), "100m")
    cpu_limit = _quantity(gettext_lazy("CPU at most"), "500m")
    memory_request = _quantity(gettext_lazy("Memory it asks for"), "128Mi")
    memory_limit = _quantity(
        gettext_lazy("Memory at most"), "256Mi",
        help_text=gettext_lazy("A container that uses more is killed and started again."),
    )  # fmt: skip
    run_as_user = forms.IntegerField(
        label=gettext_lazy("Run as user number"),
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text=gettext_lazy(
            "Empty: as the image says. Images that run as root need a number here where the "
            "namespace's pod security is Restricted."
        ),
    )
    host = forms.CharField(
        label=gettext_lazy("Host name"),
        required=False,
        max_length=253,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": "shop.example.com"}),
        help_text=gettext_lazy("Under which it is reached from outside; empty: not at all."),
    )
    path = forms.CharField(
        label=gettext_lazy("Path"), required=False, max_length=500, initial="/",
        widget=forms.TextInput(attrs=PLAIN),
    )  # fmt: skip
    ingress_class = forms.ChoiceField(label=gettext_lazy("Ingress class"), required=False)
    mount_path = forms.CharField(
        label=gettext_lazy("Folder that is kept"),
        required=False,
        max_length=500,
        widget=forms.TextInput(attrs={**PLAIN, "placeholder": "/var/lib/shop"}),
        help_text=gettext_lazy("What is written there outlives the pod; empty: nothing is kept."),
    )
    volume_size = _quantity(gettext_lazy("Size of the volume"), "1Gi")
    storage_class = forms.ChoiceField(label=gettext_lazy("Storage class"), required=False)

    app: App

    def __init__(self, *args: Any, namespace: Namespace, app: App | None = None, **kw: Any) -> None:
        """app: the one that is changed; its name stays."""
        self.namespace = namespace
        tenant = namespace.tenant
        kw.setdefault("initial", initial_of(app) if app else new_one(namespace))
        super().__init__(*args, **kw)
        classes = choices_of(namespace, tenant.ingress_classes, "ingressclasses.networking.k8s.io")
        _offer(self, "ingress_class", classes, app.ingress_class if app else "")
        self.offers_ingress = bool(classes) or bool(app and app.host)
        if not self.offers_ingress:
            for name in ("host", "path", "ingress_class"):
                del self.fields[name]
        classes = choices_of(namespace, tenant.storage_classes, "storageclasses.storage.k8s.io")
        if not tenant.storage_classes:
            classes = ["", *classes]  # the cluster's own
        _offer(self, "storage_class", classes, app.storage_class if app else "")
        if tenant.registries:
            self.fields["image"].help_text = _("From one of: %(allowed)s.") % {
                "allowed": ", ".join(tenant.registries)
            }
        if app:
            self.fields["name"].disabled = True
        self._rows = count_of(self.data if self.is_bound else self.initial)
        add_rows(self, self._rows)

    @property
    def rows(self) -> list[list[forms.BoundField]]:
        """The fields of each environment variable, for the page."""
        return [[self[f"env_{n}_{part}"] for part in PARTS] for n in range(self._rows)]

    def clean_image(self) -> str:
        """An image's name, from a registry that the tenant may use."""
        image = str(self.cleaned_data["image"])
        if not _IMAGE.fullmatch(image):
            raise forms.ValidationError(
                _("“%(image)s” is no name of an image: write registry.example/team/shop:1.4.")
                % {"image": image[:80]}
            )
        allowed = self.namespace.tenant.registries
        if allowed and not from_one_of(image, allowed):
            raise forms.ValidationError(
                _("The image is from none of the tenant's registries: %(allowed)s.")
                % {"allowed": ", ".join(allowed)}
            )
        return image

    def clean_command(self) -> tuple[str, ...]:
        """The words of the command."""
        return _split(self.cleaned_data["command"])

    def clean_arguments(self) -> tuple[str, ...]:
        """The words of the arguments."""
        return _split(self.cleaned_data["arguments"])

    def clean_host(self) -> str:
        """A host name that no other namespace of the cluster answers to."""
        host = str(self.cleaned_data["host"]).lower()
        if not host:
            return host
        if not SUBDOMAIN.fullmatch(host):
            raise forms.ValidationError(
                _("“%(host)s” is no host name: write shop.example.com.") % {"host": host[:80]}
            )
        others = Object.objects.filter(
            cluster=self.namespace.cluster_id, resource="ingresses.networking.k8s.io"
        ).exclude(namespace=self.namespace.name)
        # By text first: JSON containment is not in every database.
        found = others.filter(summary__icontains=host).values_list("summary__hosts", flat=True)
        if any(host in (hosts or ()) for hosts in found):
            raise forms.ValidationError(
                _("%(host)s is taken by another namespace of this cluster: choose another.")
                % {"host": host}
            )
        return host

    def clean_path(self) -> str:
        """A path that begins with a slash."""
        return _absolute(self.cleaned_data["path"] or "/")

    def clean_mount_path(self) -> str:
        """A folder of the container."""
        path = str(self.cleaned_data["mount_path"])
        if ":" in path or path == "/":
            raise forms.ValidationError(_("This folder cannot be kept: write /var/lib/shop."))
        return _absolute(path) if path else ""

    def clean(self) -> dict[str, Any]:
        """Everything that fields say only together; then the application."""
        data: dict[str, Any] = super().clean() or {}
        amounts_of = self._quantities(data)
        environment = variables(self, data, self._rows)
        self._check_ports(data)
        self._check_volume(data)
        if self.errors:
            return data
        port, host = data.get("port"), data.get("host") or ""
        self.app = App(
            name=data["name"],
            image=data["image"],
            command=data["command"],
            arguments=data["arguments"],
            replicas=data["replicas"],
            port=port,
            service_port=(data.get("service_port") or port) if data.get("service") else None,
            environment=tuple(environment),
            run_as_user=data.get("run_as_user"),
            host=host,
            path=data.get("path") or "/" if host else "/",
            ingress_class=data.get("ingress_class") or "" if host else "",
            mount_path=data.get("mount_path") or "",
            storage_class=data.get("storage_class") or "" if data.get("mount_path") else "",
            **amounts_of,
        )
        return data

    @property
    def row_count(self) -> int:
        """How many rows of variables the form has."""
        return self._rows

    def _quantities(self, data: Mapping[str, Any]) -> dict[str, str]:
        found: dict[str, str] = {}
        read: dict[str, int] = {}
        for field in (*QUANTITIES, "volume_size"):
            resource = {"cpu": "requests.cpu", "mem": "requests.memory"}.get(
                field[:3], "requests.storage"
            )
            typed = data.get(field) or ""
            found[field] = ""
            if not typed or (field == "volume_size" and not data.get("mount_path")):
                continue
            try:
                read[field] = amounts.parse(resource, typed)
            except ValueError as error:
                self.add_error(field, str(error))
                continue
            found[field] = amounts.text(resource, read[field])
        for what in ("cpu", "memory"):
            request, limit = read.get(f"{what}_request"), read.get(f"{what}_limit")
            if request is not None and limit is not None and limit < request:
                said = _("The limit (%(limit)s) is below what it asks for (%(request)s).")
                key = f"requests.{what}"
                figures = {
                    "limit": amounts.human(key, limit),
                    "request": amounts.human(key, request),
                }
                self.add_error(f"{what}_limit", said % figures)
        return found

    def _check_ports(self, data: Mapping[str, Any]) -> None:
        if data.get("service") and not data.get("port") and "port" not in self.errors:
            self.add_error(
                "port",
                _("A Service needs the port on which the container listens; untick it for none."),
            )
        name = str(data.get("name") or "")
        if data.get("service") and name[:1].isdigit():
            self.add_error("name", _("The name of a Service begins with a letter."))
        if data.get("host") and not data.get("service"):
            self.add_error("service", _("A host name leads to the Service: it needs one."))
        unserved = data.get("host") and not data.get("ingress_class")
        if unserved and "ingress_class" not in self.errors:
            self.add_error("ingress_class", _("Choose which controller is to serve it."))

    def _check_volume(self, data: Mapping[str, Any]) -> None:
        if not data.get("mount_path"):
            return
        if not data.get("volume_size") and "volume_size" not in self.errors:
            self.add_error("volume_size", _("How large is the volume to be? Write 1Gi."))
        if (data.get("replicas") or 0) > 1:
            self.add_error(
                "replicas",
                _("One pod alone mounts the volume: write 1, or keep no folder."),
            )


class RemoveForm(ConfirmNameForm):
    """Whether the data goes too, and the name of what goes."""

    field_order = ("volume", "confirm_name")
    volume = forms.BooleanField(
        label=gettext_lazy("Also delete its volume, with the data in it"), required=False
    )


def initial_of(app: App) -> dict[str, Any]:
    """The fields of an application, as a page or a script would send them."""
    found: dict[str, Any] = {
        name: value if value is not None else ""
        for name, value in vars(app).items()
        if name not in ("environment", "command", "arguments")
    }
    found |= {
        "command": shlex.join(app.command),
        "arguments": shlex.join(app.arguments),
        "service": app.service_port is not None,
        **environment_fields(app.environment),
    }
    return found


def choices_of(namespace: Namespace, allowed: list[str], resource: str) -> list[str]:
    """The tenant's classes where it names some, else those that the cluster has."""
    if allowed:
        return list(allowed)
    rows = Object.objects.filter(cluster=namespace.cluster_id, resource=resource)
    return list(rows.order_by("name").values_list("name", flat=True)[:100])


def _offer(form: forms.Form, name: str, classes: list[str], has: str) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ChoiceField)
    names = classes if has in classes or not has else [has, *classes]
    first = [] if "" in names else [("", "–")] if len(names) != 1 else []
    field.choices = [*first, *((one, one or _("the cluster's own")) for one in names)]


def new_one(namespace: Namespace) -> dict[str, Any]:
    """The fields of a new one: what a container that says nothing would get here."""
    found = {}
    for what in ("cpu", "memory"):
        pair = namespace.limits.get(what) or {}
        found[f"{what}_request"] = pair.get("request") or pair.get("limit") or ""
        found[f"{what}_limit"] = pair.get("limit") or ""
    return {**found, "replicas": 1, "path": "/", "service": True}


def _split(typed: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(typed.replace("\r\n", "\n")))
    except ValueError as error:
        raise forms.ValidationError(_("A quotation mark or a backslash is left open.")) from error


def _absolute(path: str) -> str:
    if not path.startswith("/") or ".." in path.split("/") or "//" in path:
        raise forms.ValidationError(_("A path begins with / and has no .. in it."))
    return path
