"""Where the lab keeps what is costly to make, and how it gets there in one piece."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import LabError

BUILDING = ".building-"


def cache_root() -> Path:
    """The cache folder: `FLOTILLA_CACHE`, or `flotilla` in the user's own cache folder."""
    named = os.environ.get("FLOTILLA_CACHE")
    if named:
        return Path(named).expanduser().resolve()
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "flotilla"


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold a lock on the file `path` (made when absent) that ends with the process at the latest.

    The file itself stays: deleting a lock file lets two holders in.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """Give a fresh folder beside `target` that takes its place when the block ends well.

    A block that raises leaves nothing; one whose process was killed leaves a folder that the next
    call clears away. Call it with the lock of `target` held. Raises LabError on a full or
    read-only disk at the last step.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    for stale in target.parent.glob(f"{target.name}{BUILDING}*"):
        shutil.rmtree(stale, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{target.name}{BUILDING}", dir=target.parent))
    folder.chmod(0o755)
    try:
        yield folder
        old = folder.with_name(f"{folder.name}.old")
        if target.exists():
            target.rename(old)
        folder.rename(target)
        shutil.rmtree(old, ignore_errors=True)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise LabError(
            f"{target} could not be put in place",
            str(error),
            f"make room or mend the rights of {target.parent} and start again",
        ) from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
