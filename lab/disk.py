"""A host's disk: an overlay of the base tree, two folders beside it, and the host's identity."""

import os
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.command import run
from lab.errors import LabError

# An overlay cannot be the upper layer of another, and containerd's images are overlays; so these
# two folders of the host lie beside its overlay, on the machine's own disk.
BOUND = {"containerd": "/var/lib/containerd", "kubelet": "/var/lib/kubelet"}
KEY_HOMES = ("root", "home/admin", "home/ops", "home/nosudo")
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
MEND = "see `findmnt` and the machine's free space; `lab down` and `lab up` make hosts anew"


def mounts_below(folder: Path, pid: str = "self") -> list[str]:
    """The mount points at or below `folder` that process `pid` sees, deepest first."""
    prefix = str(folder)
    found: list[str] = []
    for line in Path("/proc", pid, "mountinfo").read_text(errors="replace").splitlines():
        point = line.split(" ")[4].replace("\\040", " ")
        if point == prefix or point.startswith(prefix + "/"):
            found.append(point)
    return sorted(found, key=len, reverse=True)


@dataclass(frozen=True)
class Disk:
    """The disk of one host, below `folder`; `base` is the base tree's root."""

    folder: Path
    base: Path

    @property
    def root(self) -> Path:
        """The host's root as the machine sees it while the overlay is mounted."""
        return self.folder / "root"

    @property
    def exists(self) -> bool:
        """Whether the host was made: its identity is written last."""
        return (self.folder / "host_key.pub").exists()

    @property
    def mounted(self) -> bool:
        """Whether the overlay is mounted now."""
        return str(self.root) in mounts_below(self.root)

    @property
    def ssh_host_key(self) -> str:
        """The host's public key as `ssh-ed25519 AAAA...`; raises LabError before the first boot."""
        try:
            return (self.folder / "host_key.pub").read_text().strip()
        except OSError as error:
            raise LabError(
                f"Reading the SSH host key of {self.folder.name}",
                "the host was never booted",
                "run `lab up`",
            ) from error

    def bindings(self) -> dict[Path, str]:
        """The machine's folders that the host sees at a path of its own."""
        return {self.folder / name: inside for name, inside in BOUND.items()}

    def mount(self) -> None:
        """Mount the overlay unless it is mounted; what the host wrote before is kept."""
        if self.mounted:
            return
        for name in ("upper", "work", "root", *BOUND):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        layers = f"lowerdir={self.base},upperdir={self.folder / 'upper'}"
        run(
            [
                *("mount", "-t", "overlay", "flotilla-lab"),
                *("-o", f"{layers},workdir={self.folder / 'work'}", str(self.root)),
            ],
            what=f"Mounting the disk of {self.folder.name}",
            mend=MEND,
        )

    def unmount(self) -> None:
        """Unmount everything at and below the host's folder."""
        for point in mounts_below(self.folder):
            run(
                ["umount", point],
                what=f"Unmounting the disk of {self.folder.name}",
                mend="see which process holds it with `fuser -vm` on that path",
            )

    def identify(self, name: str, address: str) -> None:
        """Write what makes this host itself: name, machine-id and a fresh SSH host key. Once."""
        if self.exists:
            return
        etc = self.root / "etc"
        (etc / "hostname").write_text(f"{name}\n")
        (etc / "hosts").write_text(
            f"127.0.0.1 localhost\n::1 localhost ip6-localhost\n{address} {name}\n"
        )
        (etc / "machine-id").write_text(f"{uuid.uuid4().hex}\n")
        key = self.root / HOST_KEY
        key.unlink(missing_ok=True)
        make_key(key, f"root@{name}")
        public = Path(f"{key}.pub").read_text().split()
        draft = self.folder / "host_key.pub.new"
        draft.write_text(f"{public[0]} {public[1]}\n")
        draft.rename(self.folder / "host_key.pub")

    def authorize(self, keys: Sequence[str]) -> None:
        """Let these public keys in as root, admin, ops and nosudo, and no others."""
        text = "".join(f"{key.strip()}\n" for key in keys)
        for home in KEY_HOMES:
            folder = self.root / home / ".ssh"
            path = folder / "authorized_keys"
            if path.is_symlink():
                path.unlink()
            if path.exists() and path.read_text() == text:
                continue
            owner = folder.stat()
            path.write_text(text)
            path.chmod(0o600)
            os.chown(path, owner.st_uid, owner.st_gid)

    def remove(self) -> None:
        """Unmount and delete the host's disk with all that the host wrote."""
        self.unmount()
        if self.folder.exists():
            try:
                shutil.rmtree(self.folder)
            except OSError as error:
                raise LabError(
                    f"Deleting the disk of {self.folder.name}", str(error), MEND
                ) from error


def make_key(path: Path, comment: str) -> None:
    """Make an Ed25519 key pair without a passphrase at `path` and `path`.pub."""
    run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)],
        what=f"Making the SSH key {path.name}",
        mend="apt-get install openssh-client",
    )


def check_key(line: str) -> str:
    """One line of an authorized_keys file, stripped; raises LabError when it is no public key."""
    text = line.strip()
    parts = text.split()
    if "\n" in text or len(parts) < 2 or not parts[0].startswith(("ssh-", "ecdsa-", "sk-")):
        raise LabError(
            "Authorising an SSH key",
            f"{text[:40]!r} is not a public key",
            "give a line such as `ssh-ed25519 AAAA... name`, usually from a file ending in .pub",
        )
    return text
