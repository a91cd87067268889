"""Container images for the lab, made without a registry: busybox, and a pause that sleeps."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.command import run
from lab.errors import LabError

BUSYBOX_REF = "flotilla.dev/lab/busybox:1"
PAUSE_REF = "flotilla.dev/lab/pause:1"
# 68 years in seconds: the longest that every busybox sleeps.
PAUSE_COMMAND = ("/bin/sleep", "2147483647")
# Every image carries the same moment, so that its bytes and digests depend on its content only.
CREATED = "2020-01-01T00:00:00Z"
EPOCH = 1577836800
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Image:
    """One image: its reference, what it runs, and for which architecture (amd64, arm64)."""

    ref: str
    command: Sequence[str]
    architecture: str = "amd64"

    @property
    def file_name(self) -> str:
        """The name of the image's tar."""
        return self.ref.rpartition("/")[2].replace(":", "-") + ".tar"


def _entry(name: str, kind: bytes, mode: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = kind
    entry.mode = mode
    entry.mtime = EPOCH
    return entry


def layer(busybox: bytes, applets: Sequence[str]) -> bytes:
    """The one layer, a tar: static busybox, a link for each applet, and the least of /etc."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        folders = {"bin": 0o755, "etc": 0o755, "root": 0o700, "tmp": 0o1777}
        for name, mode in sorted(folders.items()):
            tar.addfile(_entry(name, tarfile.DIRTYPE, mode))
        files: Mapping[str, tuple[bytes, int]] = {
            "bin/busybox": (busybox, 0o755),
            "etc/group": (b"root:x:0:\nnobody:x:65534:\n", 0o644),
            "etc/passwd": (
                b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
                0o644,
            ),
        }
        for name, (content, mode) in sorted(files.items()):
            entry = _entry(name, tarfile.REGTYPE, mode)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for applet in sorted(set(applets) - {"busybox"}):
            entry = _entry(f"bin/{applet}", tarfile.SYMTYPE, 0o777)
            entry.linkname = "busybox"
            tar.addfile(entry)
    return buffer.getvalue()


def archive(image: Image, content: bytes) -> bytes:
    """A docker-archive of an image with this one layer, as `ctr images import` takes it.

    The same arguments always give the same bytes.
    """
    packed = gzip.compress(content, compresslevel=6, mtime=0)
    config = {
        "architecture": image.architecture,
        "os": "linux",
        "created": CREATED,
        "config": {
            "Cmd": list(image.command),
            "Env": ["PATH=/bin"],
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(content).hexdigest()}"]},
        "history": [{"created": CREATED, "created_by": "flotilla lab"}],
    }
    written = json.dumps(config, sort_keys=True, separators=(",", ":")).encode()
    config_name = f"{hashlib.sha256(written).hexdigest()}.json"
    layer_name = f"{hashlib.sha256(packed).hexdigest()}.tar.gz"
    manifest = [{"Config": config_name, "RepoTags": [image.ref], "Layers": [layer_name]}]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in (
            (config_name, written),
            (layer_name, packed),
            ("manifest.json", json.dumps(manifest, sort_keys=True).encode()),
        ):
            entry = _entry(name, tarfile.REGTYPE, 0o644)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def build(base: Path, folder: Path, architecture: str = "amd64") -> dict[str, Path]:
    """Write the tars of both images to `folder` from the base tree's busybox; reference to path.

    Raises LabError when the base tree holds no busybox or it does not run.
    """
    program = base / "bin/busybox"
    try:
        busybox = program.read_bytes()
    except OSError as error:
        raise LabError(
            "Making the lab's container images",
            str(error),
            "remove the `base` folder of the cache and run `lab up`",
        ) from error
    applets = run(
        [str(program), "--list"],
        what="Asking busybox for its applets",
        mend="remove the `base` folder of the cache and run `lab up`",
    ).split()
    content = layer(busybox, applets)
    folder.mkdir(parents=True, exist_ok=True)
    images = (
        Image(BUSYBOX_REF, ("/bin/sh",), architecture),
        Image(PAUSE_REF, PAUSE_COMMAND, architecture),
    )
    paths: dict[str, Path] = {}
    for image in images:
        paths[image.ref] = folder / image.file_name
        paths[image.ref].write_bytes(archive(image, content))
    return paths
