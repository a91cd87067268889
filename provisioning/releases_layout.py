"""Which files a release is made of, what they may be called, and where the official ones lie.

Pure: names, grammars and addresses; nothing here opens a file or a connection.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from django.utils.translation import gettext as _

from provisioning import versions

ARCHITECTURES = ("amd64", "arm64")
BINARIES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
ETCD = ("etcd", "etcdctl")
ETCDUTL = "etcdutl"  # what etcdctl did with snapshots until etcd 3.5, and does no more since 3.6
CNI = ("bridge", "host-local", "loopback", "portmap")
KINDS = ("binary", "etcd", "cni", "image")

MAX_FILE = 1024**3  # the largest official binary is an eighth of it
MAX_TOTAL = 4 * 1024**3
MAX_FILES = 100
MAX_MANIFEST = 1024**2

_VERSION = re.compile(r"v(?:0|[1-9]\d{0,3})\.(?:0|[1-9]\d{0,3})\.(?:0|[1-9]\d{0,3})")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}")
_IMAGE = re.compile(r"[a-z0-9][A-Za-z0-9._:/@-]{0,254}")


class ReleaseError(Exception):
    """Why a release cannot be had. expected, found and hint are shown beside the message."""

    def __init__(
        self, message: str, *, expected: str = "", found: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.expected, self.found, self.hint = expected, found, hint


@dataclass(frozen=True)
class WantedFile:
    """One file that a manifest promises. size is None where it does not say.

    path: where it lies in the bundle; name: what it is called in the release.
    """

    name: str
    kind: str
    sha256: str
    size: int | None = None
    path: str = ""


@dataclass(frozen=True)
class Manifest:
    """What a bundle says about itself, checked."""

    version: str
    arch: str
    files: tuple[WantedFile, ...]
    provenance: str = ""
    pause_image: str = ""
    verify_image: str = ""


def clean_version(text: str) -> str:
    """ "1.30.2" or "v1.30.2" -> "v1.30.2". Raises ReleaseError for anything else."""
    version = "v" + text.strip().removeprefix("v")
    if not _VERSION.fullmatch(version):
        raise ReleaseError(
            _("“%(version)s” is no Kubernetes version: write it like v1.30.2.")
            % {"version": text.strip()[:40]}
        )
    return version


def clean_arch(text: str) -> str:
    """A known architecture. Raises ReleaseError."""
    if text not in ARCHITECTURES:
        raise ReleaseError(
            _("“%(arch)s” is no architecture of the console: use %(known)s.")
            % {"arch": text[:40], "known": ", ".join(ARCHITECTURES)}
        )
    return text


def clean_name(text: str) -> str:
    """A file's name inside a release, at most one folder deep. Raises ReleaseError.

    "..", absolute names, back-slashes and control characters do not fit the grammar.
    """
    parts = text.split("/")
    if not 1 <= len(parts) <= 2 or not all(_PART.fullmatch(part) for part in parts):
        raise ReleaseError(
            _("“%(name)s” is no name for a file of a release.") % {"name": printable(text)}
        )
    return text


def clean_path(text: str) -> str:
    """A file's place inside a bundle, a few folders deep. Raises ReleaseError."""
    parts = text.split("/")
    if not 1 <= len(parts) <= 5 or not all(_PART.fullmatch(part) for part in parts):
        raise ReleaseError(
            _("“%(name)s” is no place of a file in a bundle.") % {"name": printable(text)}
        )
    return text


def clean_sha256(text: str, name: str) -> str:
    """A SHA-256 in hex. Raises ReleaseError naming the file."""
    digest = text.strip().lower()
    if not _SHA256.fullmatch(digest):
        raise ReleaseError(
            _("The checksum of %(name)s is no SHA-256.") % {"name": name},
            expected=_("64 hexadecimal digits"),
            found=printable(text),
        )
    return digest


def kind_of(name: str) -> str:
    """What a file is by its name: "binary", "etcd", "cni" or "image"."""
    if name.startswith("images/") or name.endswith(".tar"):
        return "image"
    base = PurePosixPath(name).name
    if base in (*ETCD, ETCDUTL):
        return "etcd"
    return "cni" if base in CNI or name.startswith("cni/") else "binary"


def parse_checksums(text: str) -> dict[str, str]:
    """`<sha256>  <name>` lines, as sha256sum writes them, by name. Raises ReleaseError."""
    sums: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            continue
        digest, _blank, name = line.strip().partition(" ")
        name = name.strip().removeprefix("*").removeprefix("./")
        sums[name] = clean_sha256(digest, name or _("the file"))
    return sums


def parse_manifest(raw: bytes) -> Manifest:
    """The content of a manifest.json. Raises ReleaseError.

    {version, arch, source?, pause_image?, verify_image?, files: [{name, sha256, kind?, size?,
    path?}]}
    """
    if len(raw) > MAX_MANIFEST:
        raise ReleaseError(_("manifest.json is larger than 1 MiB."))
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError):
        raise ReleaseError(_("manifest.json is no JSON.")) from None
    if not isinstance(data, dict) or not isinstance(data.get("files"), list):
        raise ReleaseError(_("manifest.json must be an object with a list “files”."))
    return Manifest(
        version=clean_version(_text(data, "version")),
        arch=clean_arch(_text(data, "arch")),
        files=_complete(_wanted(row) for row in data["files"][: MAX_FILES + 1]),
        provenance=printable(_text(data, "source", required=False), 1000),
        pause_image=_image(data, "pause_image"),
        verify_image=_image(data, "verify_image"),
    )


def manifest_of_checksums(sums: Mapping[str, str], version: str, arch: str) -> Manifest:
    """The manifest of bare files with SHA256SUMS; version and arch are what the admin says."""
    files = (
        WantedFile(clean_name(name), kind_of(name), digest, path=name)
        for name, digest in sums.items()
    )
    return Manifest(clean_version(version), clean_arch(arch), _complete(files))


def _complete(rows: Any) -> tuple[WantedFile, ...]:
    files = tuple(rows)
    names = [file.name for file in files]
    if len(names) > MAX_FILES:
        raise ReleaseError(_("More than %(limit)d files are no release.") % {"limit": MAX_FILES})
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise ReleaseError(_("%(name)s is listed twice.") % {"name": doubled[0]})
    if missing := [name for name in BINARIES if name not in names]:
        raise ReleaseError(
            _("The release is not complete: %(names)s missing.") % {"names": ", ".join(missing)},
            expected=", ".join(BINARIES),
            found=", ".join(names) or "–",
        )
    return files


def _wanted(row: Any) -> WantedFile:
    if not isinstance(row, dict):
        raise ReleaseError(_("Each entry of “files” must be an object."))
    name = clean_name(_text(row, "name"))
    kind, size = row.get("kind") or kind_of(name), row.get("size")
    if kind not in KINDS:
        raise ReleaseError(
            _("%(name)s has the unknown kind “%(kind)s”.")
            % {"name": name, "kind": printable(str(kind))},
            expected=", ".join(KINDS),
        )
    whole = isinstance(size, int) and not isinstance(size, bool)
    if size is not None and not (whole and 0 < size <= MAX_FILE):
        raise ReleaseError(_("The size of %(name)s is not one of a file.") % {"name": name})
    path = clean_path(_text(row, "path", required=False) or name)
    return WantedFile(name, kind, clean_sha256(_text(row, "sha256"), name), size, path)


def _text(data: Mapping[str, Any], key: str, *, required: bool = True) -> str:
    value = data.get(key, "")
    if not isinstance(value, str) or (required and not value):
        raise ReleaseError(_("“%(key)s” is missing in manifest.json.") % {"key": key})
    return value


def _image(data: Mapping[str, Any], key: str) -> str:
    value = _text(data, key, required=False)
    if value and not _IMAGE.fullmatch(value):
        raise ReleaseError(_("“%(key)s” is no reference to an image.") % {"key": key})
    return value


def printable(text: str, limit: int = 80) -> str:
    """Foreign text fit to be shown: one line, no control characters, not too long."""
    line = "".join(char if char.isprintable() else "�" for char in text)
    return line if len(line) <= limit else line[: limit - 1] + "…"


@dataclass(frozen=True)
class Download:
    """One official file: where it lies, where its checksum lies, and what is in it.

    members: for an archive the base names to take out of it; empty for a bare binary.
    sums_name: the name to look for in a list of checksums; empty where the checksum's file
    holds one only.
    """

    name: str
    kind: str
    url: str
    sha256_url: str
    members: tuple[str, ...] = ()
    sums_name: str = ""


def official_downloads(
    version: str, arch: str, mirror: str, etcd: tuple[str, str], cni: tuple[str, str]
) -> list[Download]:
    """Everything to download for a version, in the layout of the projects' own sites.

    mirror, and the second halves of etcd and cni, are base addresses; their first halves are
    versions like "v3.5.9".
    """
    base = f"{mirror.rstrip('/')}/{version}/bin/linux/{arch}"
    files = [
        Download(name, "binary", f"{base}/{name}", f"{base}/{name}.sha256") for name in BINARIES
    ]
    etcd_version, etcd_base = etcd[0], f"{etcd[1].rstrip('/')}/{etcd[0]}"
    archive = f"etcd-{etcd_version}-linux-{arch}.tar.gz"
    sums = f"{etcd_base}/SHA256SUMS"
    members = (*ETCD, ETCDUTL) if versions.parse(etcd_version) >= (3, 6, 0) else ETCD
    files.append(Download(archive, "etcd", f"{etcd_base}/{archive}", sums, members, archive))
    cni_version, cni_base = cni[0], f"{cni[1].rstrip('/')}/{cni[0]}"
    archive = f"cni-plugins-linux-{arch}-{cni_version}.tgz"
    url = f"{cni_base}/{archive}"
    files.append(Download(archive, "cni", url, f"{url}.sha256", CNI))
    return files
