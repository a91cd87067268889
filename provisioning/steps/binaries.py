"""The release's programs and images: sent to hosts that have not got them."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.spec import ReleaseFile
from provisioning.steps.base import Context, Step
from provisioning.steps.layout import (
    BIN,
    is_control_plane,
    release_files,
    version_folder,
)
from provisioning.steps.resources import Image, Link, Resource, Upload
from provisioning.texts import gettext as _

NODE_PROGRAMS = ("kubelet", "kube-proxy")
CONTROL_PLANE_PROGRAMS = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubectl",
)


class Binaries(Step):
    """Programs under /opt/kubernetes/<version> with the link "current", plug-ins and images."""

    id = "binaries"
    title = "Programs and images"
    timeout = 900

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Workers get what a node needs, control planes the rest as well."""
        spec, folder = ctx.spec, version_folder(ctx.spec)
        wanted: tuple[str, ...] = NODE_PROGRAMS
        if is_control_plane(spec, ctx.here):
            wanted = CONTROL_PLANE_PROGRAMS + NODE_PROGRAMS
        files = {file.name: file for file in release_files(spec, "binary")}
        missing = [name for name in wanted if name not in files]
        if missing:
            raise ValueError(_("the release has no %(names)s") % {"names": ", ".join(missing)})
        found: list[Resource] = [
            *(Upload(files[name], f"{folder}/{name}") for name in wanted),
        ]
        if is_control_plane(spec, ctx.here):
            found += [Upload(f, f"{folder}/{f.name}") for f in release_files(spec, "etcd")]
        found.append(Link(BIN, folder))
        if is_control_plane(spec, ctx.here):
            found.append(Link("/usr/local/bin/kubectl", f"{BIN}/kubectl"))
        plugins = release_files(spec, "cni")
        if plugins:
            found += [Upload(f, f"/opt/cni/bin/{f.name}") for f in plugins]
        found += [Image(f, self._references(ctx, f)) for f in release_files(spec, "image")]
        return found

    @staticmethod
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
