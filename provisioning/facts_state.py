"""Facts about what recipes manage: paths, units, marks of our clusters, traces of Kubernetes."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cryptography import x509

from provisioning.facts_system import FactClass, Fields, clean, number
from provisioning.steps.compile import source

_MAX_CONTENT = 16 * 1024
_KINDS = {"f": "file", "d": "folder", "l": "link"}


@dataclass(frozen=True)
class PathFact:
    """What is at a path: kind "file", "folder", "link" or "other"; mode as a number (0o644);
    sha256 "" when not read; content only of small files that anybody may read."""

    kind: str
    mode: int
    owner: str
    size: int
    target: str = ""
    sha256: str = ""
    content: str = ""


@dataclass(frozen=True)
class UnitFact:
    """A systemd unit that is there."""

    enabled: bool
    active: bool
    state: str


@dataclass(frozen=True)
class CertificateFact:
    """A certificate on a host: subject and issuer (RFC 4514), validity in seconds since 1970;
    sha256 of its PEM text, as `sed` prints it there."""

    subject: str
    issuer: str
    starts: float
    ends: float
    sha256: str


class KubeletCertificate(FactClass):
    """What the cluster gave the kubelet to sign in with. Its key, in the same file, stays there."""

    name = "kubelet-certificate"
    # The leaf alone: no other certificate is in the file, and a host that says so is not believed.
    prints = (
        "sed -n '/^-----BEGIN CERTIFICATE-----$/,/^-----END CERTIFICATE-----$/p'"
        " /var/lib/kubelet/pki/kubelet-client-current.pem 2>/dev/null"
    )
    snippet = f"{prints} | head -c 16384"

    def parse(self, lines: Sequence[str]) -> Fields:
        """kubelet_certificate, None where there is none that can be read."""
        text = "".join(f"{line}\n" for line in lines if line)
        try:
            found = x509.load_pem_x509_certificate(text.encode())
            fact = CertificateFact(
                clean(found.subject.rfc4514_string())[:300],
                clean(found.issuer.rfc4514_string())[:300],
                found.not_valid_before_utc.timestamp(),
                found.not_valid_after_utc.timestamp(),
                sha256(text.encode()).hexdigest(),
            )
        except ValueError:
            return {"kubelet_certificate": None}
        return {"kubelet_certificate": fact}


class Paths(FactClass):
    """Everything in the folders that recipes manage, in one `find` and one `sha256sum`."""

    name = "paths"
    folders = (
        "/etc/kubernetes /etc/cni /etc/containerd /etc/etcd /etc/haproxy /etc/keepalived"
        " /opt/cni /opt/kubernetes /etc/modules-load.d /etc/sysctl.d"
    )
    single = (
        "/var/lib/etcd /var/lib/kubelet /var/lib/cni /var/lib/containerd /var/lib/kube-proxy"
        " /var/log/pods /var/log/containers /var/log/kubernetes"
        " /var/lib/kubelet/pki/kubelet-client-current.pem"
        " /usr/local/bin/kubectl /usr/local/bin/etcdctl /usr/bin/etcd /usr/sbin/runc /usr/bin/runc"
        " /usr/bin/containerd /usr/local/bin/containerd /usr/sbin/iptables /usr/sbin/conntrack"
        " /usr/lib/cni/bridge"
        " /usr/bin/socat /usr/sbin/ethtool /usr/bin/etcdctl /usr/sbin/ipset"
    )
    _print = "-printf '%y|%m|%u:%g|%s|%T@|%i|%p|%l\\n'"
    snippet = (
        f"find {folders} -maxdepth 4 {_print} 2>/dev/null\n"
        f"find /etc/systemd/system -maxdepth 2 -type f {_print} 2>/dev/null\n"
        f"find {single} -maxdepth 0 {_print} 2>/dev/null\n"
        f"find {folders} /etc/systemd/system -maxdepth 4 -type f -size -256k"
        " -exec sha256sum {} + 2>/dev/null | sed 's/^/sha256 /'\n"
        "find /etc/kubernetes /etc/cni /etc/sysctl.d /etc/systemd/system -maxdepth 3 -type f"
        " -perm -004"
        " -size -16k \\( -name '*kube*' -o -name '*etcd*' -o -name '*container*' -o -name '*.yaml'"
        " -o -name '*list' -o -path '/etc/kubernetes/*' \\) 2>/dev/null | while read -r p; do\n"
        'echo "content $p $(base64 -w0 <"$p")"; done'
    )
    _LINE = re.compile(
        r"([a-zA-Z])\|([0-7]{1,5})\|([^|]{1,100})\|([0-9]{1,18})"
        r"\|[0-9.]+\|[0-9]+\|(/[^|]*)\|(.*)"
    )
    _SHA = re.compile(r"sha256 ([0-9a-f]{64})  (/.*)")

    def parse(self, lines: Sequence[str]) -> Fields:
        """paths: what is at each."""
        paths: dict[str, PathFact] = {}
        sums: dict[str, str] = {}
        contents: dict[str, str] = {}
        for line in lines:
            if match := self._LINE.fullmatch(line):
                kind, mode, owner, size, path, target = match.groups()
                paths[clean(path)] = PathFact(
                    _KINDS.get(kind, "other"), int(mode, 8), clean(owner), int(size), clean(target)
                )
            elif match := self._SHA.fullmatch(line):
                sums[clean(match[2])] = match[1]
            elif line.startswith("content "):
                path, _, text = line.removeprefix("content ").partition(" ")
                contents[clean(path)] = _decoded(text)
        for path, fact in paths.items():
            if path in sums or path in contents:
                paths[path] = PathFact(
                    fact.kind,
                    fact.mode,
                    fact.owner,
                    fact.size,
                    fact.target,
                    sums.get(path, ""),
                    contents.get(path, ""),
                )
        return {"paths": paths}


def _decoded(text: str) -> str:
    """Base64 of a file as text; "" for what is no text or holds a private key."""
    try:
        content = base64.b64decode(text, validate=True)[:_MAX_CONTENT].decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return (
        ""
        if "PRIVATE KEY" in content
        else "".join(c for c in content if c.isprintable() or c in "\n\t")
    )


class Units(FactClass):
    """Units that a cluster uses or that would be in its way."""

    name = "units"
    wanted = (
        "containerd etcd kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy"
        " haproxy keepalived kubernetes-network docker crio k3s k3s-agent rke2-server rke2-agent"
        " microk8s systemd-timesyncd chrony chronyd ntp firewalld ufw"
    )
    snippet = (
        "command -v systemctl >/dev/null && "
        "systemctl show -p Id,LoadState,UnitFileState,ActiveState,SubState "
        + " ".join(f"{name}.service" for name in wanted.split())
    )

    def parse(self, lines: Sequence[str]) -> Fields:
        """units that are there, by name."""
        units: dict[str, UnitFact] = {}
        block: dict[str, str] = {}
        for line in [*lines, ""]:
            key, sep, value = line.partition("=")
            if sep:
                block[key] = clean(value)
                continue
            if block.get("Id") and block.get("LoadState") == "loaded":
                units[block["Id"]] = UnitFact(
                    block.get("UnitFileState", "")
                    in ("enabled", "static", "alias", "enabled-runtime"),
                    block.get("ActiveState") in ("active", "reloading"),
                    f"{block.get('ActiveState', '')} ({block.get('SubState', '')})",
                )
            block = {}
        return {"units": units}


class Clusters(FactClass):
    """Our own state folders: cluster numbers, their marks, and our lines in /etc/hosts."""

    name = "clusters"
    snippet = """for d in /var/lib/flotilla/*/; do
# A folder without a journal is that of a script that changed nothing.
[ -s "${d}undo.log" ] || continue; n=${d%/}; echo "cluster ${n##*/}"
[ -f "$d/marks" ] && sed 's/^/mark /' "$d/marks"
sed -n 's/^upload:[^ ]* .*/&/p' "$d/marks" 2>/dev/null | while read -r k h s t c i; do
[ "$(stat -c '%s %.9Y %.9Z %i' "${k#upload:}" 2>/dev/null)" = "$s $t $c $i" ] &&
  echo "upload $h ${k#upload:}"; done; done
sed 's/^/hosts /' /etc/hosts"""

    def parse(self, lines: Sequence[str]) -> Fields:
        """clusters, marks, hosts (lines), uploads (digests by path)."""
        clusters: list[int] = []
        marks: dict[str, str] = {}
        hosts: list[str] = []
        uploads: dict[str, str] = {}
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "cluster" and (found := number(rest)) is not None:
                clusters.append(found)
            elif kind == "mark":
                key, _, value = rest.partition(" ")
                marks[clean(key)] = clean(value)
            elif kind == "hosts":
                hosts.append(clean(rest))
            elif kind == "upload":
                sha, _, path = rest.partition(" ")
                if re.fullmatch(r"[0-9a-f]{64}", sha):
                    uploads[clean(path)] = sha
        return {
            "clusters": tuple(clusters),
            "marks": marks,
            "hosts": tuple(hosts),
            "uploads": uploads,
        }


class Traces(FactClass):
    """What Kubernetes left on the host, as lines that a person understands."""

    name = "traces"
    snippet = source("traces.sh").strip()

    def parse(self, lines: Sequence[str]) -> Fields:
        """traces: the lines, each once."""
        return {"traces": tuple(dict.fromkeys(text for line in lines if (text := clean(line))))}
