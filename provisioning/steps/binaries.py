"""The release's programs and images: sent to hosts that have not got them."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.spec import ReleaseFile
from provisioning.steps.base import Context, Step
from provisioning.steps.layout import BIN, release_files, version_folder
from provisioning.steps.resources import Image, Link, Resource, Upload
from provisioning.texts import gettext as _

NODE_PROGRAMS = ("kubelet", "kube-proxy")
CONTROL_PLANE_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
)


class ControlPlanePrograms(Step):
    """etcd, the control plane's programs under /opt/kubernetes/<version>, the link "current"."""

    id = "control-plane-programs"
    title = "Programs of the control plane"
    timeout = 900

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """First what the next step starts: it must not wait for what only nodes need."""
        folder = version_folder(ctx.spec)
        return [
            *(Upload(f, f"{folder}/{f.name}") for f in release_files(ctx.spec, "etcd")),
            *programs(ctx, CONTROL_PLANE_PROGRAMS),
            Link(BIN, folder),
            Link("/usr/local/bin/kubectl", f"{BIN}/kubectl"),
        ]


def programs(ctx: Context, wanted: tuple[str, ...]) -> list[Resource]:
    """Programs of the release in its own folder. Raises ValueError for those that it lacks."""
    folder = version_folder(ctx.spec)
    files = {file.name: file for file in release_files(ctx.spec, "binary")}
    missing = [name for name in wanted if name not in files]
    if missing:
        raise ValueError(_("the release has no %(names)s") % {"names": ", ".join(missing)})
    return [Upload(files[name], f"{folder}/{name}") for name in wanted]


def node_programs(ctx: Context) -> list[Resource]:
    """kubelet and kube-proxy."""
    return programs(ctx, NODE_PROGRAMS)


def images(ctx: Context) -> list[Resource]:
    """The release's image archives, taken into containerd."""
    return [Image(f, _references(ctx, f)) for f in release_files(ctx.spec, "image")]


def _references(ctx: Context, file: ReleaseFile) -> tuple[str, ...]:
    # An archive is known by its file's name only ("images/pause-1.tar"); the two images that a
    # cluster cannot do without are also checked by the names that pods use.
    stem = file.name.rpartition("/")[2].partition("-")[0].partition(".")[0]
    release = ctx.spec.release
    return tuple(
        reference
        for reference in (release.pause_image, release.verify_image)
        if reference.rpartition("/")[2].partition(":")[0] == stem
    )


class Binaries(Step):
    """What every node needs: its programs, the link "current", plug-ins and images."""

    id = "binaries"
    title = "Programs and images"
    timeout = 900

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """The same on workers and on control planes, which run pods too."""
        return [
            *node_programs(ctx),
            Link(BIN, version_folder(ctx.spec)),
            *(Upload(f, f"/opt/cni/bin/{f.name}") for f in release_files(ctx.spec, "cni")),
            *images(ctx),
        ]
