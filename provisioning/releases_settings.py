"""Where releases are fetched from; console/settings.py may set each of these."""

from __future__ import annotations

from django.conf import settings

DEFAULTS = {
    # Same layouts as the official sites; a mirror takes their place.
    "RELEASE_MIRROR": "https://dl.k8s.io/release",
    "RELEASE_ETCD_MIRROR": "https://github.com/etcd-io/etcd/releases/download",
    "RELEASE_CNI_MIRROR": "https://github.com/containernetworking/plugins/releases/download",
    "RELEASE_CNI_VERSION": "v1.5.1",
    # Images that hosts pull for official releases; empty: what the version's kubeadm uses.
    "RELEASE_PAUSE_IMAGE": "",
    "RELEASE_VERIFY_IMAGE": "registry.k8s.io/e2e-test-images/busybox:1.36.1-1",
    # The largest bundle that may be uploaded, in MiB.
    "RELEASE_UPLOAD_MIB": "2048",
}


def setting(name: str) -> str:
    """The setting, or its default. Raises KeyError for a name that is none of these."""
    return str(getattr(settings, name, DEFAULTS[name]))
