"""What is given to import a cluster or to replace its credentials: a kubeconfig, or by hand."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from clusters.importing import of_hand
from clusters.kube.kubeconfig_parser import Context, Reach, given_by_hand, parse
from clusters.kube.strict_yaml import LARGEST, Refused

KUBECONFIG, BY_HAND = "kubeconfig", "hand"
WAYS = (
    (KUBECONFIG, _("A kubeconfig")),
    (BY_HAND, _("Server, CA and token")),
)
_PLAIN = {"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}


class GivenForm(forms.Form):
    """Either text or file of a kubeconfig, or server, CA and token."""

    way = forms.ChoiceField(label=_("What do you have?"), choices=WAYS, widget=forms.RadioSelect)
    kubeconfig = forms.CharField(
        label=_("Kubeconfig"), required=False, strip=False,
        widget=forms.Textarea(attrs={"rows": 10, "class": "font-monospace", **_PLAIN}),
        help_text=_(
            "With everything inside: kubectl config view --flatten --minify --raw. Commands, file "
            "names and proxies in it are refused."
        ),
    )  # fmt: skip
    file = forms.FileField(
        label=_("or its file"), required=False, allow_empty_file=True,
        help_text=_("YAML or JSON of at most 256 KiB."),
    )  # fmt: skip
    server = forms.CharField(
        label=_("API server"), required=False,
        widget=forms.TextInput(attrs={"placeholder": "https://api.example:6443", **_PLAIN}),
    )  # fmt: skip
    ca = forms.CharField(
        label=_("Its CA"), required=False, strip=False,
        widget=forms.Textarea(attrs={"rows": 5, "class": "font-monospace", **_PLAIN}),
        help_text=_(
            "PEM. Empty where the server's certificate is of an authority that this machine trusts."
        ),
    )  # fmt: skip
    token = forms.CharField(
        label=_("Token"), required=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text=_("Of a service account, for example: kubectl create token NAME."),
    )  # fmt: skip

    contexts: list[Context]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("initial", {"way": KUBECONFIG})
        super().__init__(*args, **kwargs)
        self.contexts = []

    def clean(self) -> dict[str, Any]:
        """Read what was given; `contexts` are there when the form is valid."""
        data = super().clean() or {}
        reach = Reach(settings.PRIVATE_CLUSTERS, tuple(settings.OUTBOUND_ALLOWED))
        if data.get("way") == BY_HAND:
            entry, problems = given_by_hand(
                data.get("server", ""), data.get("ca", ""), data.get("token", ""), reach
            )
            for name, problem in problems.items():
                self.add_error(name, problem)
            if entry is not None:
                host = entry.server.removeprefix("https://").partition("/")[0]
                self.contexts = of_hand(entry, host.rpartition(":")[0] or host)
        elif data.get("way") == KUBECONFIG:
            self._read_kubeconfig(data, reach)
        return data

    def _read_kubeconfig(self, data: dict[str, Any], reach: Reach) -> None:
        file, text = data.get("file"), data.get("kubeconfig", "")
        name = "file" if file else "kubeconfig"
        if not file and not text.strip():
            self.add_error(name, _("Paste a kubeconfig, or choose its file."))
            return
        try:
            # One byte more than is taken, so that the parser says that it is too much.
            self.contexts = parse(file.read(LARGEST + 1) if file else text, reach)
        except Refused as refused:
            self.add_error(name, str(refused))

    def forget_secrets(self) -> None:
        """Call it before the form is shown again: kubeconfig and token are not repeated."""
        kept = {name: self.data.get(name, "") for name in self.fields}
        self.data = {**kept, "kubeconfig": "", "token": ""}
