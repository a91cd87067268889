"""The base tree: one Debian installation that every host of every lab is an overlay of."""

import hashlib
import json
import shutil
from pathlib import Path

from lab.apt import DISTRIBUTION, Source, machine_sources, proxy_environment
from lab.cache import BUILDING, cache_root, locked, staged
from lab.command import CONFINED, run
from lab.errors import Output, silent

DEBOOTSTRAP_PACKAGES = (
    "systemd",
    "systemd-sysv",
    "dbus",
    "openssh-server",
    "iproute2",
    "procps",
    "kmod",
    "ca-certificates",
    "sudo",
)
HOST_PACKAGES = (
    "containerd",
    "runc",
    "containernetworking-plugins",
    "iptables",
    "conntrack",
    "socat",
    "ethtool",
    "haproxy",
    "keepalived",
    "etcd-server",
    "etcd-client",
    "curl",
    "busybox-static",
    "iputils-arping",
    "iputils-ping",
    "zstd",
)
# The password of the user `ops` is known to everybody: it exists to test `sudo` with a password.
OPS_PASSWORD = "ops-password"  # noqa: S105
MEND = "read the lines above; when the mirror was away, start again later"

POLICY = "#!/bin/sh\n# Nothing starts while packages are installed.\nexit 101\n"

SSHD = """\
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
Match User ops
    PasswordAuthentication yes
"""

SUDOERS = "admin ALL=(ALL:ALL) NOPASSWD: ALL\nops ALL=(ALL:ALL) ALL\n"

# nspawn gives the host the cgroup v1 controllers read-only; containers inside need them writable.
CGROUP_UNIT = """\
[Unit]
Description=Make the host's own cgroup controllers writable
DefaultDependencies=no
Before=sysinit.target
ConditionPathExists=!/sys/fs/cgroup/cgroup.controllers

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'mount -o remount,rw,bind /sys/fs/cgroup; for group in /sys/fs/cgroup/*; do \
  [ -L "$group" ] || mount -o remount,rw,bind "$group" || true; done'

[Install]
WantedBy=sysinit.target
"""

SCRIPT = f"""\
set -eu
export DEBIAN_FRONTEND=noninteractive
apt-get -q update
apt-get -q -y --no-install-recommends install {" ".join(HOST_PACKAGES)}
systemctl disable containerd haproxy keepalived etcd >/dev/null 2>&1
systemctl disable apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer \
  e2scrub_all.timer fstrim.timer e2scrub_reap.service >/dev/null 2>&1 || true
systemctl mask getty@.service console-getty.service systemd-udevd.service \
  sys-kernel-debug.mount sys-kernel-tracing.mount
systemctl enable flotilla-cgroups.service
systemctl set-default multi-user.target
for user in admin ops nosudo; do useradd --create-home --shell /bin/bash "$user"; done
echo 'ops:{OPS_PASSWORD}' | chpasswd
for home in /root /home/admin /home/ops /home/nosudo; do
  user=$(basename "$home"); install -d -m 700 -o "$user" -g "$user" "$home/.ssh"
done
rm -f /etc/ssh/ssh_host_* /etc/machine-id /var/lib/dbus/machine-id /usr/sbin/policy-rc.d
rm -f /etc/dpkg/dpkg.cfg.d/flotilla-fast /etc/hostname
rm -rf /var/cache/apt/archives/*.deb /var/cache/apt/*.bin /var/lib/apt/lists/* /var/log/*.log
rm -rf /var/lib/etcd/* /var/lib/containerd
"""


def stamp() -> str:
    """A short name for the definition of the base tree; another definition gives another."""
    parts = [DISTRIBUTION, *DEBOOTSTRAP_PACKAGES, SCRIPT, POLICY, SSHD, SUDOERS, CGROUP_UNIT]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]


def base_root() -> Path:
    """Where the base tree of today's definition lies, whether or not it was built yet."""
    return cache_root() / "base" / stamp() / "root"


def ensure(out: Output = silent) -> Path:
    """Build the base tree unless it is in the cache, and return its root.

    Takes one to three minutes and about 750 MB the first time. Raises LabError when a package
    cannot be fetched or installed; what was half built is removed.
    """
    root = base_root()
    if root.exists():
        return root
    with locked(cache_root() / "base.lock"):
        if not root.exists():
            with staged(root.parent) as folder:
                _build(folder, out)
            _remove_unused(root.parent, out)
    return root


def _build(folder: Path, out: Output) -> None:
    root = folder / "root"
    sources = machine_sources()
    environment = proxy_environment()
    out(f"Base tree: Debian {DISTRIBUTION} from {sources[0].uri}")
    run(
        [
            *CONFINED,
            "debootstrap",
            "--variant=minbase",
            f"--include={','.join(DEBOOTSTRAP_PACKAGES)}",
            DISTRIBUTION,
            str(root),
            sources[0].uri,
        ],
        out,
        what="Building the base tree of the lab's hosts",
        mend=MEND,
        env=environment,
    )
    _prepare(root, sources)
    out("Base tree: installing the hosts' packages")
    run(
        [
            *CONFINED,
            *("sh", "-c", 'mount -t proc proc "$0/proc" && exec chroot "$0" /bin/sh -c "$1"'),
            str(root),
            SCRIPT,
        ],
        out,
        what="Installing the packages of the lab's hosts",
        mend=MEND,
        env={**environment, "LC_ALL": "C", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    (root / "etc/machine-id").write_text("uninitialized\n")
    (root / "etc/resolv.conf").unlink(missing_ok=True)
    (root / "etc/resolv.conf").write_text("# The lab's hosts need no names from outside.\n")
    description = {"stamp": stamp(), "distribution": DISTRIBUTION, "packages": _packages(root)}
    (folder / "base.json").write_text(json.dumps(description, indent=1) + "\n")


def _prepare(root: Path, sources: list[Source]) -> None:
    """Write what must be there before the packages come."""
    files = {
        "etc/apt/sources.list": "".join(f"{Source(s.uri, s.suite).line()}\n" for s in sources),
        "etc/dpkg/dpkg.cfg.d/flotilla-fast": "force-unsafe-io\n",
        "etc/dpkg/dpkg.cfg.d/flotilla-small": (
            "path-exclude=/usr/share/doc/*\npath-exclude=/usr/share/man/*\n"
        ),
        "etc/ssh/sshd_config.d/flotilla.conf": SSHD,
        "etc/sudoers.d/flotilla": SUDOERS,
        "etc/systemd/system/flotilla-cgroups.service": CGROUP_UNIT,
        "usr/sbin/policy-rc.d": POLICY,
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    (root / "etc/sudoers.d/flotilla").chmod(0o440)


def _packages(root: Path) -> dict[str, str]:
    """Name and version of every package in the tree."""
    text = run(
        ["chroot", str(root), "dpkg-query", "-W", "-f", "${Package} ${Version}\\n"],
        what="Listing the packages of the base tree",
        mend=MEND,
    )
    return dict(line.split(" ", 1) for line in text.splitlines() if " " in line)


def _remove_unused(keep: Path, out: Output) -> None:
    """Remove base trees of older definitions that no lab is an overlay of."""
    used = {
        json.loads(state.read_text()).get("base")
        for state in (cache_root() / "labs").glob("*/lab.json")
    }
    for folder in keep.parent.iterdir():
        if folder == keep or folder.name in used or BUILDING in folder.name:
            continue
        out(f"Base tree: removing {folder.name}, which no lab uses any more")
        shutil.rmtree(folder, ignore_errors=True)
