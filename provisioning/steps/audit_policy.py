"""What the API server writes into the cluster's own audit log (docs/decisions/0041).

The first rule that fits decides. It sees who signed in, not in whose name a call is made: the
console's own user is the person for every call that is impersonated, so no rule may silence it.
"""

from __future__ import annotations

from typing import Any

from provisioning import versions
from provisioning.steps.layout import KUBERNETES, as_yaml

FILE = f"{KUBERNETES}/audit-policy.yaml"
FOLDER = "/var/log/kubernetes"
LOG = f"{FOLDER}/audit.log"
# At most 1.1 GB on each control plane: 10 files of 100 MB and the one that is written.
DAYS, BACKUPS, MEGABYTES = 30, 10, 100

_READS = ["get", "list", "watch"]
_CHANGES = ["create", "update", "patch", "delete", "deletecollection"]
_COMPONENTS = [
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-proxy",
    "system:kube-scheduler",
]
_CONTROLLERS = "system:serviceaccounts:kube-system"
_NODES = "system:nodes"
# Decides who may do what or where, is changed by few, and holds no secret: with what was sent.
# Workloads are not here: people write passwords into their environment.
_WITH_CONTENT = {
    "": ["namespaces", "nodes", "resourcequotas", "limitranges"],
    "rbac.authorization.k8s.io": [
        "roles",
        "rolebindings",
        "clusterroles",
        "clusterrolebindings",
    ],
    "policy": ["podsecuritypolicies"],
    "scheduling.k8s.io": ["priorityclasses"],
    "admissionregistration.k8s.io": [
        "mutatingwebhookconfigurations",
        "validatingwebhookconfigurations",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
    ],
}


def audit_policy(version: str) -> str:
    """The policy for a release such as "v1.20.2", as YAML.

    Metadata (who, what, when, from where, with what answer) of everything but the cluster's own
    chatter; what was sent for changes of rights and limits; never the content of a secret.
    """
    policy: dict[str, Any] = {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
    }
    if versions.OMIT_MANAGED_FIELDS.at(versions.minor(version)):
        policy["omitManagedFields"] = True
    policy["rules"] = [*_quiet(), *_kept()]
    return as_yaml(policy)


def flags() -> list[str]:
    """The API server's flags for its policy and its log.

    In batches of one: a full disk or a slow one holds up no request. A kill loses what was
    not written yet.
    """
    return [
        f"--audit-policy-file={FILE}",
        f"--audit-log-path={LOG}",
        "--audit-log-mode=batch",
        f"--audit-log-maxage={DAYS}",
        f"--audit-log-maxbackup={BACKUPS}",
        f"--audit-log-maxsize={MEGABYTES}",
    ]


def _quiet() -> list[dict[str, Any]]:
    """What a cluster says to itself all day, without the one look at a secret that matters."""
    leases = _of("coordination.k8s.io", "leases")
    return [
        {"level": "None", "nonResourceURLs": ["/healthz*", "/livez*", "/readyz*", "/version"]},
        {"level": "None", **_of("", "events")},
        {"level": "None", **_of("events.k8s.io", "events")},
        # Held every two seconds by each leader and each kubelet. Made and removed by few.
        {"level": "None", "verbs": [*_READS, "update", "patch"], **leases},
        # Kubelets watch each secret of their pods by itself, hundreds of them.
        {"level": "None", "userGroups": [_NODES], "verbs": ["watch"]},
        {"level": "Metadata", **_of("", "secrets", "serviceaccounts/token")},
        {"level": "None", "users": _COMPONENTS, "verbs": _READS},
        {"level": "None", "userGroups": [_CONTROLLERS], "verbs": _READS},
        {"level": "None", "userGroups": [_NODES], "verbs": ["get", "list"]},
        {
            "level": "None",
            "userGroups": [_NODES],
            "verbs": ["update", "patch"],
            **_of("", "nodes", "nodes/status", "pods/status"),
        },
    ]


def _kept() -> list[dict[str, Any]]:
    content = [{"group": group, "resources": found} for group, found in _WITH_CONTENT.items()]
    return [{"level": "Request", "verbs": _CHANGES, "resources": content}, {"level": "Metadata"}]


def _of(group: str, *resources: str) -> dict[str, Any]:
    return {"resources": [{"group": group, "resources": list(resources)}]}
