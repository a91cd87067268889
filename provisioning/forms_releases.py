"""Forms that add a release: by its official version, or as an uploaded bundle."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from provisioning.releases import check_supported
from provisioning.releases_layout import ARCHITECTURES, ReleaseError, clean_version

ARCH_CHOICES = [(arch, arch) for arch in ARCHITECTURES]


class ArchitectureField(forms.ChoiceField):
    """One of the known architectures."""

    def __init__(self) -> None:
        super().__init__(label=_("Architecture"), choices=ARCH_CHOICES, initial=ARCHITECTURES[0])


def _supported(text: str) -> str:
    try:
        version = clean_version(text)
        check_supported(version)
    except ReleaseError as error:
        known = f" ({error.expected})" if error.expected else ""
        raise forms.ValidationError(f"{error}{known}") from error
    return version


class FetchForm(forms.Form):
    """A version to be downloaded."""

    version = forms.CharField(
        label=_("Kubernetes version"),
        max_length=40,
        widget=forms.TextInput(attrs={"placeholder": "v1.33.1", "autocomplete": "off"}),
    )
    arch = ArchitectureField()

    def clean_version(self) -> str:
        """A supported version."""
        return _supported(self.cleaned_data["version"])


class BundleForm(forms.Form):
    """An archive with the files of a release."""

    bundle = forms.FileField(
        label=_("Bundle"),
        help_text=_(
            "A .tar, .tar.gz, .tar.bz2 or .tar.xz with manifest.json, or with the binaries and "
            "SHA256SUMS."
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".tar,.gz,.tgz,.bz2,.xz"}),
    )
    version = forms.CharField(
        label=_("Kubernetes version"),
        max_length=40,
        required=False,
        help_text=_("Only needed for a bundle without manifest.json."),
        widget=forms.TextInput(attrs={"placeholder": "v1.33.1", "autocomplete": "off"}),
    )
    arch = ArchitectureField()

    def clean_version(self) -> str:
        """Nothing, or a supported version."""
        text = self.cleaned_data["version"]
        return _supported(text) if text else ""
