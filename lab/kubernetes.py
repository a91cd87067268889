"""Kubernetes binaries for the lab: found, or built from the distribution's source package.

The result is always a bundle: a folder in the cache with the six Kubernetes programs, what a
cluster in the lab needs besides in `extras/`, and a `manifest.json` with every file's SHA-256.
"""

import hashlib
import json
import os
import platform
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab import base, images
from lab.cache import BUILDING, cache_root, locked, staged
from lab.command import run
from lab.debian_build import SourceTree
from lab.errors import LabError, Output, silent

BINARIES = (
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kube-proxy",
    "kubectl",
)
ETCD = ("etcd", "etcdctl")
CNI_PLUGINS = ("bridge", "host-local", "loopback", "portmap", "firewall", "bandwidth")
DEFAULT_VERSION = "v1.20.2"
NEXT_VERSION = "v1.21.0"  # the default's source under another name: what upgrades are tried with
VERSION = re.compile(r"v1\.\d+\.\d+")
NAMING_VARIABLES = ("FLOTILLA_KUBERNETES", "KUBEBUILDER_ASSETS")


@dataclass(frozen=True)
class Bundle:
    """A complete folder of binaries for one version and architecture."""

    folder: Path
    version: str
    architecture: str
    source: str

    @classmethod
    def read(cls, folder: Path) -> "Bundle | None":
        """The bundle in this folder, None when it is not a complete one."""
        try:
            manifest = json.loads((folder / "manifest.json").read_text())
            return cls(folder, manifest["version"], manifest["arch"], manifest["source"])
        except (OSError, ValueError, KeyError, TypeError):
            return None


def architecture() -> str:
    """This machine's architecture as Kubernetes calls it: amd64 or arm64."""
    return images.ARCHITECTURES.get(platform.machine(), platform.machine())


def bundle_folder(version: str) -> Path:
    """Where the cache keeps the bundle of a version, whether or not it is there."""
    return cache_root() / "kubernetes" / f"{version}-linux-{architecture()}"


def cached() -> list[Bundle]:
    """The complete bundles in the cache for this architecture, newest version first."""
    folder = cache_root() / "kubernetes"
    names = sorted(folder.iterdir()) if folder.is_dir() else []
    bundles = [Bundle.read(name) for name in names if BUILDING not in name.name]
    ours = [bundle for bundle in bundles if bundle and bundle.architecture == architecture()]
    return sorted(ours, key=lambda b: [int(n) for n in re.findall(r"\d+", b.version)], reverse=True)


def ensure(version: str | None = None, out: Output = silent) -> Bundle:
    """A bundle of this version; without one, of any: the one named, else the newest cached.

    In order: a folder named by FLOTILLA_KUBERNETES or KUBEBUILDER_ASSETS, the cache, a build from
    Debian's source package (about 7 minutes on 2 cores, 4 GB of disk while it runs). Raises
    LabError when the named folder lacks a program or the build fails.
    """
    _check_version(version)
    with locked(cache_root() / "kubernetes.lock"):
        named = _named(version, out)
        if named:
            return named
        found = [b for b in cached() if version in (None, b.version)]
        if found:
            return found[0]
        return _build([version or DEFAULT_VERSION], out)[0]


def ensure_each(versions: Sequence[str], out: Output = silent) -> None:
    """A bundle of each version, as ensure() finds them; those that are missing share one build.

    Raises LabError when the named folder lacks a program or the build fails.
    """
    for version in versions:
        _check_version(version)
    with locked(cache_root() / "kubernetes.lock"):
        there = {bundle.version for bundle in cached()}
        missing = [v for v in versions if v not in there and _named(v, out) is None]
        if missing:
            _build(missing, out)


def build(versions: Sequence[str], out: Output = silent) -> list[Bundle]:
    """Build bundles from Debian's source package, whatever the cache holds.

    Each is the same source under another version string, for trying upgrades out; those after
    the first only need linking, a minute or two. Raises LabError when the build fails.
    """
    for version in versions:
        _check_version(version)
    with locked(cache_root() / "kubernetes.lock"):
        return _build(versions, out)


def _check_version(version: str | None) -> None:
    if version is not None and not VERSION.fullmatch(version):
        raise LabError(
            "Choosing a Kubernetes version",
            f"{version!r} is not a version",
            f"give one such as {DEFAULT_VERSION}",
        )


def _named(version: str | None, out: Output) -> Bundle | None:
    """The bundle of the folder that the environment names, made from it where needed."""
    for variable in NAMING_VARIABLES:
        value = os.environ.get(variable)
        if not value:
            continue
        folder = Path(value).expanduser()
        ready = Bundle.read(folder)
        if ready and version in (None, ready.version):
            return ready
        lacking = [name for name in BINARIES if not (folder / name).is_file()]
        if lacking and variable == "KUBEBUILDER_ASSETS":
            # Its usual content, an API server without a kubelet, makes no cluster of hosts.
            out(f"{variable} names {folder}, which lacks {', '.join(lacking)}: not used")
            continue
        if lacking:
            raise LabError(
                f"Using the Kubernetes binaries in {folder}, which {variable} names",
                f"{', '.join(lacking)} not found there",
                f"put all of {', '.join(BINARIES)} there, or unset {variable}",
            )
        said = program_version(folder / "kube-apiserver")
        if version not in (None, said):
            out(f"{variable} names {folder}, which holds {said}, not {version}: not used")
            continue
        source = f"folder {folder} named by {variable}"
        bundle = Bundle.read(bundle_folder(said))
        if bundle and bundle.source == source:
            return bundle
        return assemble(folder, said, source, out)
    return None


def program_version(program: Path) -> str:
    """What a Kubernetes program says is its version, such as v1.20.2; raises LabError."""
    what = f"Asking {program} for its version"
    mend = "check that it is a Kubernetes program for this machine's architecture"
    text = run([str(program), "--version"], what=what, mend=mend, timeout=30)
    match = VERSION.search(text)
    if not match:
        raise LabError(what, f"it said {text[:80]!r}", mend)
    return match.group()


def _build(versions: Sequence[str], out: Output) -> list[Bundle]:
    bundles: list[Bundle] = []
    with SourceTree.fetched(cache_root() / "build", out) as tree:
        for version in versions:
            out(f"Kubernetes {version}: building from {tree.description}")
            folder = tree.build(version, BINARIES, out)
            said = program_version(folder / "kube-apiserver")
            if said != version:
                raise LabError(
                    f"Building Kubernetes {version}",
                    f"the program that was built says that it is {said}",
                    "this source takes no other version string; ask for the one it has",
                )
            source = f"{tree.description}; {tree.compiler()}; version string {version}"
            bundles.append(assemble(folder, version, source, out))
    return bundles


def assemble(programs: Path, version: str, source: str, out: Output = silent) -> Bundle:
    """Make a bundle in the cache from a folder with the Kubernetes programs.

    `source` tells people where they are from. etcd, the CNI plug-ins and busybox come from the
    base tree, which is built where it is missing. Raises LabError when a file cannot be had.
    """
    tree = base.ensure(out)
    target = bundle_folder(version)
    with staged(target) as folder:
        files = [(name, programs / name, "binary") for name in BINARIES]
        files += [(f"extras/{name}", tree / "usr/bin" / name, "etcd") for name in ETCD]
        files += [
            (f"extras/cni/{name}", tree / "usr/lib/cni" / name, "cni") for name in CNI_PLUGINS
        ]
        for name, origin, _ in files:
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(origin, path)
            path.chmod(0o755)
        tars = images.build(tree, folder / "extras/images", architecture())
        kinds = [(name, kind) for name, _, kind in files]
        kinds += [(str(path.relative_to(folder)), "image") for path in tars.values()]
        manifest = {
            "version": version,
            "arch": architecture(),
            "source": source,
            "pause_image": images.PAUSE_REF,
            "verify_image": images.BUSYBOX_REF,
            "files": [describe(folder, name, kind) for name, kind in kinds],
        }
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")
    out(f"Kubernetes {version}: in {target}")
    return Bundle(target, version, architecture(), source)


def describe(folder: Path, path: str, kind: str) -> dict[str, str | int]:
    """One file of a bundle as the manifest lists it; `size` in bytes."""
    digest = hashlib.sha256()
    with (folder / path).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return {
        "name": Path(path).name,
        "path": path,
        "kind": kind,
        "sha256": digest.hexdigest(),
        "size": (folder / path).stat().st_size,
    }
