"""What the machine's own apt configuration says about Debian mirrors.

No mirror is named in the code: where the machine gets its packages, the lab gets its own.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lab.command import run
from lab.errors import LabError

DISTRIBUTION = "bookworm"
POCKETS = ("", "-updates", "-security")
MIRROR_HINT = (
    f"add a Debian mirror with {DISTRIBUTION} to /etc/apt/sources.list.d and run `apt-get update`, "
    "or name one in FLOTILLA_DEBIAN_MIRROR"
)


@dataclass(frozen=True)
class Source:
    """One suite on one mirror."""

    uri: str
    suite: str
    signed_by: str = ""

    def line(self, kind: str = "deb") -> str:
        """This suite's line in a sources list; `kind` is `deb` or `deb-src`."""
        option = f" [signed-by={self.signed_by}]" if self.signed_by else ""
        return f"{kind}{option} {self.uri} {self.suite} main"


def parse_targets(text: str) -> list[dict[str, str]]:
    """The stanzas of `apt-get indextargets`, each as field and value."""
    stanzas: list[dict[str, str]] = []
    current: dict[str, str] = {}
    for line in text.splitlines():
        if not line.strip():
            if current:
                stanzas.append(current)
            current = {}
            continue
        if line[0].isspace():
            continue
        name, colon, value = line.partition(":")
        if colon:
            current[name] = value.strip()
    if current:
        stanzas.append(current)
    return stanzas


def debian_sources(text: str) -> list[Source]:
    """The suites of DISTRIBUTION on the mirrors that `apt-get indextargets` lists, main one first.

    A machine with another Debian release uses the same mirrors; other vendors' are left out.
    """
    found: dict[str, Source] = {}
    for target in parse_targets(text):
        if target.get("Created-By") != "Packages" or target.get("Component") != "main":
            continue
        # Without downloaded lists apt does not know the origin yet; the release's name must do.
        release = target.get("Codename") or target.get("Release", "")
        codename = release.split("-")[0]
        origin = target.get("Origin", "")
        if origin != "Debian" and not (origin == "" and codename == DISTRIBUTION):
            continue
        pocket = release[len(codename) :]
        uri = target.get("Repo-URI", "")
        if pocket not in POCKETS or not uri:
            continue
        suite = DISTRIBUTION + pocket
        found.setdefault(suite, Source(uri, suite, target.get("Signed-By", "")))
    return [found[DISTRIBUTION + p] for p in POCKETS if DISTRIBUTION + p in found]


def machine_sources(environ: Mapping[str, str] | None = None) -> list[Source]:
    """The Debian suites that this machine can reach; raises LabError when it names none."""
    named = (os.environ if environ is None else environ).get("FLOTILLA_DEBIAN_MIRROR")
    if named:
        return [Source(named, DISTRIBUTION)]
    what = "Reading the machine's apt sources"
    sources = debian_sources(run(["apt-get", "indextargets"], what=what, mend=MIRROR_HINT))
    if not sources or sources[0].suite != DISTRIBUTION:
        raise LabError(what, "no Debian mirror is configured on this machine", MIRROR_HINT)
    return sources


def proxy_environment() -> dict[str, str]:
    """The proxy of the machine's apt as environment variables, for debootstrap's own downloads."""
    text = run(
        ["apt-config", "shell", "http_proxy", "Acquire::http::Proxy"],
        what="Reading the machine's apt proxy",
        mend="run `apt-config dump` and mend the file that it complains about",
    )
    _, equals, value = text.strip().partition("=")
    value = value.strip("'\"")
    return {"http_proxy": value} if equals and value and value != "DIRECT" else {}
