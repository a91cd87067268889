"""What to do about a failure: one text for each code that a step's script may report."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

HINTS = {
    "disk_full": gettext_noop(
        "Free space on the named file system of the host (look at logs and images), then retry."
    ),
    "not_writable": gettext_noop(
        "The file system is read-only or the path is protected: mend it on the host, then retry."
    ),
    "checksum": gettext_noop(
        "The file arrived or lies there damaged: verify the release on the console and the "
        "host's disk, then retry."
    ),
    "command_failed": gettext_noop(
        "The command's last lines of output say why; mend that and retry."
    ),
    "image_failed": gettext_noop(
        "The image could not be imported: look at containerd's journal and its disk, then retry."
    ),
    "left_behind": gettext_noop(
        "Remove what is named by hand, or restart the host, then retry the deletion."
    ),
    "member_ill": gettext_noop(
        "Bring the member back, or replace its host, and retry: an upgrade takes members out of "
        "service one after another, and must not begin with one missing."
    ),
    "no_module": gettext_noop(
        "The kernel lacks this module: install the distribution's full kernel, then retry."
    ),
    "no_quorum": gettext_noop(
        "Bring the members that are down back first; if they are gone for good, replace them one "
        "after another, or restore a snapshot when the quorum is lost already."
    ),
    "no_sysctl": gettext_noop(
        "The kernel refuses this setting: check the kernel, and in a container its rights."
    ),
    "not_effective": gettext_noop(
        "Something on the host sets it back: look for configuration management, then retry."
    ),
    "package_failed": gettext_noop(
        "Check the host's package sources and that no other package manager runs, then retry; "
        "or install the package by hand."
    ),
    "pod_silent": gettext_noop(
        "The output names the silent pods: look at their nodes' kubelet and containerd journals, "
        "and whether a firewall between the hosts drops the pod network, then retry."
    ),
    "port_in_use": gettext_noop(
        "Stop the program that holds the port, or choose another host, then retry."
    ),
    "settings_refused": gettext_noop(
        "The distribution's package is too old, or another one is first in the path: the output "
        "says what it does not understand. Install a newer package on the host, then retry."
    ),
    "swap_busy": gettext_noop(
        "There is too little memory to take back what lies in swap: free memory, then retry."
    ),
    "timeout": gettext_noop(
        "It did not come about in time: the diagnosis shows what it was waiting for."
    ),
    "unit_failed": gettext_noop(
        "The service does not stay up: the last lines of its journal say why."
    ),
    "unit_missing": gettext_noop(
        "The service is not installed: install its package on the host, then retry."
    ),
    "etcd_unhealthy": gettext_noop(
        "Look at etcd's journal on the host and at the other members; a member that is ill cannot "
        "give a snapshot."
    ),
    "no_etcdctl": gettext_noop(
        "Repair the cluster, which installs etcdctl, or install the package etcd-client by hand."
    ),
    "snapshot_damaged": gettext_noop("Choose another snapshot, and look at the console's disk."),
    "wrong_type": gettext_noop(
        "Something else lies at this path: move it away on the host, then retry."
    ),
}
UNKNOWN = gettext_noop("Look at what was found and at the last lines of output, mend it and retry.")


def hint(code: str) -> str:
    """The hint for a code in the reader's language; a general one for a code without its own."""
    return _(HINTS.get(code, UNKNOWN))
