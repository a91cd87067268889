"""Small faults for tests: a clock that is off, a disk that is small or full."""

from pathlib import Path

from lab.errors import LabError
from lab.machine import Host

REAL_DATE = "date.real"
DATE_WRAPPER = """\
#!/bin/sh
# Flotilla's lab: a clock that is {seconds} seconds off. Asked about another moment than now, or
# told to set the clock, the real program answers.
for word in "$@"; do
  case "$word" in
    --date*|--reference*|--set*|--file*|--help|--version|--resolution) exec {real} "$@" ;;
    --*|+*) ;;
    -*[drsf]*) exec {real} "$@" ;;
  esac
done
exec {real} --date='{seconds} seconds' "$@"
"""
FILLER = ".flotilla-filler"


def fake_clock(host: Host, seconds: int) -> None:
    """Make `date` in a host tell a time that is `seconds` off; 0 puts the real program back.

    Only `date` lies: hosts share the machine's one real-time clock, which Linux cannot set apart
    for a namespace. What reads the time by other means (certificates, etcd, Python) sees the true
    one. Needs a host whose disk is mounted, running or not.
    """
    folder = host.root / "usr/bin"
    program, real = folder / "date", folder / REAL_DATE
    if not program.exists():
        raise LabError(
            f"Setting the clock of {host.name}", f"{program} is not there", "run `lab up` first"
        )
    if seconds == 0:
        if real.exists():
            real.rename(program)
        return
    if not real.exists():
        program.rename(real)
    draft = folder / "date.new"
    draft.write_text(DATE_WRAPPER.format(seconds=seconds, real=f"/usr/bin/{REAL_DATE}"))
    draft.chmod(0o755)
    draft.rename(program)


def limit_disk(host: Host, path: str, size: int) -> None:
    """Mount an empty file system of `size` bytes over a folder of a running host.

    What the folder held is hidden until `free_disk`; a power cut ends it too. Raises LabError
    when the host is off or the mount fails.
    """
    _check_path(host, path)
    host.run(f"mkdir -p {path} && mount -t tmpfs -o size={int(size)},mode=755 lab-limit {path}")


def fill_disk(host: Host, path: str) -> None:
    """Fill what `limit_disk` mounted to the last byte.

    Refuses any other folder: a host's own disk is the machine's, and everybody would suffer.
    """
    _check_path(host, path)
    script = f"findmnt --noheadings --source lab-limit --mountpoint {path} >/dev/null || exit 3; "
    # dd fills until there is no room, which is what it then complains about.
    host.run(f"{script} dd if=/dev/zero of={path}/{FILLER} bs=64k 2>/dev/null || true")


def free_disk(host: Host, path: str) -> None:
    """Take away what `limit_disk` mounted; the folder is as it was before."""
    _check_path(host, path)
    script = f"findmnt --noheadings --source lab-limit --mountpoint {path} >/dev/null"
    host.run(f"if {script}; then umount {path}; fi")


def _check_path(host: Host, path: str) -> None:
    plain = Path(path)
    if (
        not plain.is_absolute()
        or path == "/"
        or not path.replace("/", "").replace("-", "").isalnum()
    ):
        raise LabError(
            f"Limiting the disk of {host.name}",
            f"{path!r} is not the plain path of a folder",
            "give one such as /opt",
        )
