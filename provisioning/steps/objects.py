"""Objects of the Kubernetes API that every cluster of ours begins with."""

from __future__ import annotations

from provisioning.steps.layout import as_yaml

ADMIN_GROUP = "flotilla:admins"
_RBAC = "rbac.authorization.k8s.io"
# (name, role, subject's kind, subject): who may do what from the first minute.
_BINDINGS = (
    # "TLS bootstrapping": new nodes may ask for a certificate, and get it, and renew it.
    ("flotilla:node-bootstrap", "system:node-bootstrapper", "Group", "system:bootstrappers"),
    (
        "flotilla:node-approve",
        "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
        "Group",
        "system:bootstrappers",
    ),
    (
        "flotilla:node-renew",
        "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
        "Group",
        "system:nodes",
    ),
    # The API server reaches kubelets as a user of its own, not as one of system:masters.
    (
        "flotilla:apiserver-kubelet",
        "system:kubelet-api-admin",
        "User",
        "kube-apiserver-kubelet-client",
    ),
    ("flotilla:admins", "cluster-admin", "Group", ADMIN_GROUP),
)


def first_objects() -> str:
    """The cluster role bindings of nodes, API server and the console's admins, as YAML."""
    return as_yaml(
        *(
            {
                "apiVersion": f"{_RBAC}/v1",
                "kind": "ClusterRoleBinding",
                "metadata": {
                    "name": name,
                    "labels": {"app.kubernetes.io/managed-by": "flotilla"},
                },
                "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": role},
                "subjects": [{"apiGroup": _RBAC, "kind": kind, "name": subject}],
            }
            for name, role, kind, subject in _BINDINGS
        )
    )
