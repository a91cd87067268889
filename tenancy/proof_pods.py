"""The probe pods: one that listens and one that tries, in each namespace of a proof.

They fit Pod Security `restricted`, hold no token, ask for little, and end by themselves. What
was tried stands in the prober's log, a line for each try, so that nothing has to be run inside
of a pod from outside.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tenancy.desired import CONSOLE, MANAGED_BY, PART, SECURITY
from tenancy.proof_plan import DENIED, DNS, PASSED, TRIES, UNTRIED

JSON = dict[str, Any]

PREFIX = "flotilla-probe-"
PROOF = "flotilla.dev/proof"
LISTEN, TRY = "listen", "try"
# Longer than any proof takes; the kubelet ends the pods then, whatever became of the console.
DEADLINE_SECONDS = 600
# Network plug-ins need a moment until the policies hold for a pod that has just come.
SETTLE_SECONDS = 5
TRY_SECONDS = 2
MOST_OUTPUT = 300
MARK = "FLOTILLA-TRY"
# A shell's exit codes from here on: not executable, not found, ended by a signal.
NOT_RUN = 126
NOBODY = 65534

_LINE = re.compile(rf"{MARK}\|([a-z0-9-]+)\|(\d+)\|(\d+)\|([\d.]+)\|([\d.]+)\|(.*)")
# What a server says that was reached, although the request was none of its.
_ANSWERED = re.compile(r"HTTP/|NXDOMAIN|can't find")
_ASK = f"printf 'GET /name HTTP/1.0\\r\\n\\r\\n' | nc -w {TRY_SECONDS}"
_SCRIPT = f"""\
ask() {{ {_ASK} "$1" "$2"; }}
try() {{
  id=$1; shift; n=1
  while [ $n -le {TRIES} ]; do
    read -r began rest < /proc/uptime
    out=$("$@" 2>&1); code=$?
    read -r done rest < /proc/uptime
    out=$(printf %s "$out" | tr '\\r\\n|' '   ' | cut -c1-{MOST_OUTPUT})
    printf '{MARK}|%s|%s|%s|%s|%s|%s\\n' "$id" "$n" "$code" "$began" "$done" "$out"
    n=$((n + 1))
  done
}}
sleep {SETTLE_SECONDS}
"""


@dataclass(frozen=True)
class Placing:
    """Names and labels of one proof. node_selector, tolerations: of the namespace's pool."""

    token: str
    console: str
    image: str
    node_selector: Mapping[str, str]
    tolerations: tuple[Mapping[str, Any], ...] = ()

    @property
    def labels(self) -> dict[str, str]:
        """By which everything of the proof is found again."""
        return {
            MANAGED_BY: "flotilla",
            PART: "isolation-proof",
            CONSOLE: self.console,
            PROOF: self.token,
        }


def selector(console: str) -> str:
    """Of everything that a console's proofs have put on a cluster."""
    return f"{PROOF},{CONSOLE}={console}"


def pod_name(what: str, token: str) -> str:
    """what: LISTEN or TRY."""
    return f"{PREFIX}{what}-{token}"


def stranger_name(token: str) -> str:
    """The namespace of nobody, which is made for one proof alone."""
    return f"{PREFIX}{token}"


def stranger(placing: Placing) -> JSON:
    """That namespace; it belongs to no tenant, and takes no pods but the most restricted."""
    levels = {f"{SECURITY}{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    metadata = {"name": stranger_name(placing.token), "labels": {**placing.labels, **levels}}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def listener(placing: Placing, namespace: str, ports: Iterable[int]) -> JSON:
    """A web server that answers with its pod's name. The kubelet's probe asks the first port."""
    first, *more = ports
    words = [f"httpd -f -p {port} -h /probe &" for port in more]
    script = "\n".join([*words, f"exec httpd -f -p {first} -h /probe"])
    body = _pod(placing, namespace, LISTEN, script)
    body["spec"]["containers"][0] |= {
        "ports": [{"containerPort": port} for port in (first, *more)],
        "readinessProbe": {
            "httpGet": {"path": "/name", "port": first}, "periodSeconds": 1, "timeoutSeconds": 1,
        },
        "volumeMounts": [{"name": "probe", "mountPath": "/probe", "readOnly": True}],
    }  # fmt: skip
    item = {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}
    body["spec"]["volumes"] = [{"name": "probe", "downwardAPI": {"items": [item]}}]
    return body


def prober(placing: Placing, namespace: str, attempts: Iterable[Mapping[str, Any]]) -> JSON:
    """Makes every attempt several times, all at once, and ends."""
    lines = [f"try {row['id']} {_words(row)} &" for row in attempts]
    return _pod(placing, namespace, TRY, "\n".join([_SCRIPT, *lines, "wait"]))


def command(row: Mapping[str, Any]) -> str:
    """What a try runs, for people. An API server answers that it wants HTTPS: it was reached."""
    return _words(row) if row["target"] == DNS else f"{_ASK} {row['address']} {row['port']}"


def _words(row: Mapping[str, Any]) -> str:
    """In the script. The addresses are the cluster's own answers, checked to be addresses."""
    if row["target"] == DNS:
        return f"nslookup kubernetes.default.svc {row['address']}"
    return f"ask {row['address']} {row['port']}"


def read(lines: Iterable[str]) -> dict[str, list[JSON]]:
    """The tries in a prober's log, by attempt: [{"code", "seconds", "output"}]."""
    found: dict[str, list[JSON]] = {}
    for line in lines:
        match = _LINE.match(line)
        if match is None or len(found.get(match[1], ())) >= TRIES:
            continue
        seconds = round(max(0.0, float(match[5]) - float(match[4])), 2)
        one = {"code": int(match[3]), "seconds": seconds, "output": match[6][:MOST_OUTPUT].strip()}
        found.setdefault(match[1], []).append(one)
    return found


def outcome(tries: list[JSON]) -> str:
    """PASSED when one try was answered, DENIED when none of all was, else UNTRIED.

    One silence is no proof: a packet may be lost. And a program that is missing or crashed has
    been denied nothing.
    """
    if any(one["code"] == 0 or _ANSWERED.search(one["output"]) for one in tries):
        return PASSED
    silent = [one for one in tries if one["code"] < NOT_RUN]
    return DENIED if len(silent) >= TRIES else UNTRIED


def _pod(placing: Placing, namespace: str, what: str, script: str) -> JSON:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(what, placing.token),
            "namespace": namespace,
            "labels": placing.labels,
        },
        "spec": {
            "restartPolicy": "Never",
            "activeDeadlineSeconds": DEADLINE_SECONDS,
            "terminationGracePeriodSeconds": 0,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "nodeSelector": {"kubernetes.io/os": "linux", **placing.node_selector},
            "tolerations": [dict(one) for one in placing.tolerations],
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": NOBODY, "runAsGroup": NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{
                "name": what,
                "image": placing.image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["sh", "-c", script],
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "resources": {
                    "requests": {"cpu": "10m", "memory": "16Mi"},
                    "limits": {"cpu": "100m", "memory": "32Mi"},
                },
            }],
        },
    }  # fmt: skip
