"""Forms of YAML: many manifests, or the text of one object."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clusters.manifest_text import MOST_BYTES, Manifest, Refused, read
from clusters.models import dns_label

YAML = {
    "rows": 24,
    "class": "font-monospace fl-yaml",
    "spellcheck": "false",
    "autocapitalize": "off",
    "autocomplete": "off",
    "wrap": "off",
    "data-yaml": "",
}


class ManifestsForm(forms.Form):
    """YAML that is pasted or uploaded, and how it is to be applied."""

    text = forms.CharField(
        label=_("YAML"),
        required=False,
        strip=False,
        widget=forms.Textarea(attrs=YAML),
        help_text=_("Several objects are separated by lines of ---. At most 1 MiB, 200 objects."),
    )
    file = forms.FileField(
        label=_("Or a file"),
        required=False,
        widget=forms.ClearableFileInput(attrs={"accept": ".yaml,.yml,.json,text/yaml"}),
    )
    namespace = forms.CharField(
        label=_("Namespace"),
        initial="default",
        max_length=63,
        validators=[dns_label],
        help_text=_("Of objects that name none. It must exist."),
    )
    force = forms.BooleanField(
        label=_("Take over fields that belong to other managers"),
        required=False,
        help_text=_("Without it an object with such fields is refused and named."),
    )

    manifests: list[Manifest]
    uploaded = ""  # the text of a file that could be read

    def clean(self) -> dict[str, Any]:
        """The manifests of the text, or of the file. Invalid naming document and line."""
        data: dict[str, Any] = super().clean() or {}
        upload = data.get("file")
        text = str(data.get("text") or "")
        self.manifests = []
        if upload is not None:
            if upload.size > MOST_BYTES:
                self.add_error("file", _("This is more than 1 MiB of YAML."))
                return data
            try:
                self.uploaded = text = upload.read().decode()
            except UnicodeDecodeError:
                self.add_error("file", _("This is no text in UTF-8."))
                return data
        field = "file" if upload is not None else "text"
        try:
            self.manifests = read(text)
        except Refused as refused:
            for problem in refused.problems:
                self.add_error(field, str(problem))
        data["text"] = text
        return data

    def carried(self) -> ManifestsForm:
        """The same form with an uploaded file's text in the field, so that nothing is lost."""
        if not self.uploaded:
            return self
        kept = {name: self.data[name] for name in ("namespace", "force") if name in self.data}
        form = ManifestsForm({**kept, "text": self.uploaded})
        form.is_valid()
        return form


class EditForm(forms.Form):
    """The YAML of one object as it is typed, and as it was loaded."""

    text = forms.CharField(label=_("YAML"), strip=False, widget=forms.Textarea(attrs=YAML))
    base = forms.CharField(required=False, strip=False, widget=forms.HiddenInput)
