"""Build Kubernetes from the source package that Debian's bookworm carries (1.20.2, complete)."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lab.apt import machine_sources
from lab.command import CONFINED, run
from lab.errors import LabError, Output

PACKAGE = "kubernetes"
# Program on the machine, and the package that brings it.
TOOLS = {
    "go": "golang-go",
    "jq": "jq",
    "rsync": "rsync",
    "dpkg-source": "dpkg-dev",
    "patch": "patch",
    "make": "make",
}
SPACE_GIB = 5
MEND = "read the lines above; nothing was left behind, so it can be started again"


@dataclass(frozen=True)
class SourceTree:
    """The unpacked and patched source, in a folder that goes away afterwards."""

    folder: Path
    description: str

    @classmethod
    @contextmanager
    def fetched(cls, parent: Path, out: Output) -> Iterator["SourceTree"]:
        """Fetch the source package below `parent` and remove it with all that was built.

        Call it with the lock of the Kubernetes cache held. Raises LabError when there is too
        little room (5 GiB), or the compiler or the source cannot be had.
        """
        parent.mkdir(parents=True, exist_ok=True)
        for stale in parent.glob("kubernetes-*"):
            shutil.rmtree(stale, ignore_errors=True)
        free = shutil.disk_usage(parent).free / 2**30
        if free < SPACE_GIB:
            raise LabError(
                "Building Kubernetes",
                f"{parent} has {free:.1f} GiB free and the build takes {SPACE_GIB} for a while",
                "make room, or name a folder on another disk in FLOTILLA_CACHE",
            )
        _install_tools(out)
        with tempfile.TemporaryDirectory(prefix="kubernetes-", dir=parent) as name:
            yield cls._fetch(Path(name), out)

    @classmethod
    def _fetch(cls, folder: Path, out: Output) -> "SourceTree":
        """Fetch with a sources list of our own, so that the machine's apt stays as it is."""
        for name in ("lists/partial", "cache/archives/partial", "source"):
            (folder / name).mkdir(parents=True)
        sources = folder / "sources.list"
        sources.write_text("".join(f"{s.line('deb-src')}\n" for s in machine_sources()))
        apt = [
            "apt-get",
            *("-o", f"Dir::Etc::sourcelist={sources}"),
            *("-o", "Dir::Etc::sourceparts=-"),
            *("-o", f"Dir::State::lists={folder / 'lists'}"),
            *("-o", f"Dir::Cache={folder / 'cache'}"),
            # apt's own user may not enter the cache folder of root.
            *("-o", "APT::Sandbox::User=root"),
        ]
        what = "Fetching Debian's source package of Kubernetes"
        mend = "check that the machine reaches its Debian mirror: `apt-get update`"
        run([*apt, "-q", "update"], out, what=what, mend=mend)
        run([*apt, "-q", "source", PACKAGE], out, what=what, mend=mend, cwd=folder / "source")
        found = sorted((folder / "source").glob(f"{PACKAGE}_*.dsc"))
        trees = [path for path in (folder / "source").iterdir() if path.is_dir()]
        if not found or len(trees) != 1:
            raise LabError(what, "apt-get unpacked no source tree", mend)
        version = found[0].name.removeprefix(f"{PACKAGE}_").removesuffix(".dsc")
        return cls(trees[0], f"Debian source package {PACKAGE} {version}")

    def compiler(self) -> str:
        """The Go compiler's own words about its version."""
        return run(["go", "version"], what="Asking Go for its version", mend=MEND).strip()

    def build(self, version: str, programs: Sequence[str], out: Output) -> Path:
        """Build these programs, stripped, so that they say they are `version`; their folder.

        A second build with another version reuses what was compiled. Raises LabError.
        """
        # As the package's debian/rules does: a GOPATH in the tree that leads back to the tree.
        gopath = self.folder / "_gopath"
        link = gopath / "src/k8s.io/kubernetes"
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(self.folder)
        # The build goes by the shell's own idea of the current folder, which must be the link.
        command = 'cd "$0" && exec make WHAT="$1" GOLDFLAGS="-s -w -buildid="'
        run(
            [
                *("nice", *CONFINED, "sh", "-c", command),
                str(link),
                " ".join(f"cmd/{program}" for program in programs),
            ],
            out,
            what=f"Building Kubernetes {version}",
            mend=MEND,
            env={
                "GOPATH": str(gopath),
                "GOFLAGS": "",
                "GO111MODULE": "off",
                "CGO_ENABLED": "0",
                # A released source knows its own version and overrules everything but this file.
                "KUBE_GIT_VERSION_FILE": str(self._version_file(version)),
                "SOURCE_DATE_EPOCH": self._release_time(),
            },
        )
        built = self.folder / "_output/bin"
        lacking = [program for program in programs if not (built / program).is_file()]
        if lacking:
            raise LabError(
                f"Building Kubernetes {version}", f"{', '.join(lacking)} was not made", MEND
            )
        return built

    def _version_file(self, version: str) -> Path:
        """Write what the programs are to say about their version."""
        script = (self.folder / "hack/lib/version.sh").read_text()
        commit = re.search(r"KUBE_GIT_COMMIT='([0-9a-f]{40})'", script)
        major, minor, _ = version.removeprefix("v").split(".")
        path = self.folder / "_version"
        path.write_text(
            f"KUBE_GIT_COMMIT='{commit.group(1) if commit else ''}'\n"
            "KUBE_GIT_TREE_STATE='archive'\n"
            f"KUBE_GIT_VERSION='{version}'\n"
            f"KUBE_GIT_MAJOR='{major}'\n"
            f"KUBE_GIT_MINOR='{minor}'\n"
        )
        return path

    def _release_time(self) -> str:
        """When the source package was released, in seconds, so that two builds are the same."""
        changelog = self.folder / "debian/changelog"
        return run(
            ["dpkg-parsechangelog", "-l", str(changelog), "-S", "Timestamp"],
            what="Reading when the source package was released",
            mend=MEND,
        ).strip()


def _install_tools(out: Output) -> None:
    packages = [package for tool, package in TOOLS.items() if shutil.which(tool) is None]
    if not packages:
        return
    what = f"Installing {', '.join(packages)} to build Kubernetes"
    mend = "see its output above; `apt-get update` and the machine's apt sources must work"
    environment = {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "-q", "update"], out, what=what, mend=mend, env=environment)
    command = ["apt-get", "-q", "-y", "--no-install-recommends", "install", *packages]
    run(command, out, what=what, mend=mend, env=environment)
