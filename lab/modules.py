"""Kernel modules in a host: it shares this machine's kernel, and `modprobe` there must know it.

A distribution's kernel comes with /lib/modules, which every host sees read-only. A kernel made
without loadable modules has no such folder; `modprobe overlay` would then fail in a host although
overlayfs is there. For such a kernel each host gets a list of what is built in.
"""

import platform
from pathlib import Path

from lab.command import run

MODULES = Path("/lib/modules")

# Names that recipes ask for, and what shows that the running kernel has each.
SIGNS = {
    "bridge": "/sys/module/bridge",
    "br_netfilter": "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "ip_vs": "/proc/sys/net/ipv4/vs/conn_reuse_mode",
    "nf_conntrack": "/proc/sys/net/netfilter/nf_conntrack_max",
    "nf_nat": "/proc/sys/net/netfilter/nf_conntrack_max",
    "nf_tables": "/proc/sys/net/netfilter/nf_conntrack_max",
    "overlay": "/sys/module/overlay",
    "veth": "/sys/class/net",
    "vxlan": "/sys/module/vxlan",
}


def machine_folder() -> Path | None:
    """The machine's own folder of modules for the running kernel, None when it has none."""
    folder = MODULES / platform.release()
    return folder if folder.is_dir() else None


def built_in(modules: Path = Path("/sys/module"), root: Path = Path("/")) -> list[str]:
    """The modules that are part of the running kernel, as far as it tells."""
    # A module that was loaded has an initial state to show; one that is built in has none.
    names = {
        entry.name
        for entry in (modules.iterdir() if modules.is_dir() else ())
        if entry.is_dir() and not entry.name[0].isdigit() and not (entry / "initstate").exists()
    }
    names |= {name for name, sign in SIGNS.items() if (root / sign.lstrip("/")).exists()}
    return sorted(names)


def describe(root: Path) -> None:
    """Write the list of built-in modules into the host's tree at `root`, once for each kernel.

    Does nothing where the machine has modules of its own to show.
    """
    release = platform.release()
    folder = root / "usr/lib/modules" / release
    if machine_folder() is not None or (folder / "modules.builtin.bin").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    names = built_in()
    (folder / "modules.builtin").write_text("".join(f"kernel/{name}.ko\n" for name in names))
    (folder / "modules.order").write_text("")
    run(
        ["chroot", str(root), "/sbin/depmod", release],
        what="Listing the kernel's built-in modules for a host",
        mend="remove the `base` folder of the cache and run `lab up`",
        env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C"},
    )
