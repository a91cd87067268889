"""`python -m lab.clean`: take every trace of the lab off this machine."""

import shutil
import sys

from lab.cache import cache_root, locked
from lab.errors import LabError, Output
from lab.lab import Lab, lab_names, labs_folder


def clean(out: Output) -> None:
    """Take every lab down and remove the base trees and what a build left; binaries stay.

    Kubernetes binaries are kept because they are no trace of a lab but minutes of work. Raises
    LabError when a lab cannot be taken down; nothing is removed below a lab that still runs.
    """
    for name in lab_names():
        Lab(name).down(out)
    if labs_folder().is_dir():
        for lock in labs_folder().glob("*.lock"):
            lock.unlink()
    with locked(cache_root() / "base.lock"), locked(cache_root() / "kubernetes.lock"):
        for name in ("base", "build"):
            folder = cache_root() / name
            if folder.exists():
                shutil.rmtree(folder)
                out(f"Removed {folder}")


def main() -> int:
    """Clean, and return the exit code: 0 done, 1 something is left."""
    try:
        clean(print)
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
