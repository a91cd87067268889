"""DNS inside the cluster: CoreDNS as kubeadm sets it up, or none."""

from __future__ import annotations

from typing import Any

from provisioning import versions
from provisioning.spec import ClusterSpec
from provisioning.steps.layout import as_yaml, release_files, service_address
from provisioning.texts import gettext_noop

WITHOUT_DNS = gettext_noop(
    "The release carries no CoreDNS image: pods reach services by address, not by name."
    ' The option dns "coredns" pulls it from its registry.'
)
COREFILE = """.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
"""
_LABELS = {"k8s-app": "kube-dns"}
_RBAC = "rbac.authorization.k8s.io"


def dns_choice(spec: ClusterSpec) -> str:
    """ "coredns" or "none": the option "dns", else whether the release carries the image."""
    carried = any("coredns" in file.name for file in release_files(spec, "image"))
    return str(spec.options.get("dns") or ("coredns" if carried else "none"))


def _meta(name: str, **more: object) -> dict[str, Any]:
    labels = {**_LABELS, "app.kubernetes.io/managed-by": "flotilla"}
    return {"name": name, "namespace": "kube-system", "labels": labels, **more}


def dns_objects(spec: ClusterSpec) -> str:
    """Account, rights, configuration, deployment and service of CoreDNS, as YAML."""
    watch = ["list", "watch"]
    rules = [
        {
            "apiGroups": [""],
            "resources": ["endpoints", "services", "pods", "namespaces"],
            "verbs": watch,
        },
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": watch},
    ]
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "system:coredns"}
    account = {"kind": "ServiceAccount", "name": "coredns", "namespace": "kube-system"}
    ports = [
        {"name": "dns", "port": 53, "protocol": "UDP", "targetPort": 53},
        {"name": "dns-tcp", "port": 53, "protocol": "TCP", "targetPort": 53},
        {"name": "metrics", "port": 9153, "protocol": "TCP", "targetPort": 9153},
    ]
    rights = f"{_RBAC}/v1"
    return as_yaml(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": _meta("coredns")},
        {
            "apiVersion": rights,
            "kind": "ClusterRole",
            "metadata": {"name": "system:coredns"},
            "rules": rules,
        },
        {
            "apiVersion": rights,
            "kind": "ClusterRoleBinding",
            "metadata": {"name": "system:coredns"},
            "roleRef": role,
            "subjects": [account],
        },
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": _meta("coredns"),
            "data": {"Corefile": COREFILE},
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": _meta("kube-dns"),
            "spec": {
                "selector": _LABELS,
                "clusterIP": service_address(spec, 10),
                "ports": ports,
            },
        },
        _deployment(spec),
    )


def _deployment(spec: ClusterSpec) -> dict[str, Any]:
    image = versions.COREDNS_IMAGE.at(versions.minor(spec.release.version))
    container = {
        "name": "coredns",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": ["-conf", "/etc/coredns/Corefile"],
        "resources": {"limits": {"memory": "170Mi"}, "requests": {"cpu": "50m", "memory": "32Mi"}},
        "volumeMounts": [{"name": "config", "mountPath": "/etc/coredns", "readOnly": True}],
        "livenessProbe": {
            "httpGet": {"path": "/health", "port": 8080},
            "initialDelaySeconds": 60,
            "failureThreshold": 5,
        },
        "readinessProbe": {"httpGet": {"path": "/ready", "port": 8181}, "periodSeconds": 2},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"add": ["NET_BIND_SERVICE"], "drop": ["all"]},
            "readOnlyRootFilesystem": True,
        },
    }
    # One copy for each of the first two hosts: a lightweight cluster may have only one.
    copies = min(2, len(spec.hosts))
    pod = {
        "serviceAccountName": "coredns",
        "priorityClassName": "system-cluster-critical",
        "dnsPolicy": "Default",
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "tolerations": [
            {"key": "CriticalAddonsOnly", "operator": "Exists"},
            {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
            {"key": "node-role.kubernetes.io/master", "effect": "NoSchedule"},
        ],
        "containers": [container],
        "volumes": [
            {
                "name": "config",
                "configMap": {
                    "name": "coredns",
                    "items": [{"key": "Corefile", "path": "Corefile"}],
                },
            }
        ],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": _meta("coredns"),
        "spec": {
            "replicas": copies,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": pod},
        },
    }
