"""PodSecurityPolicies: what Pod Security is on releases before 1.23 (docs/decisions/0037).

One policy for each level of the Pod Security Standards, after "Mapping PodSecurityPolicies to Pod
Security Standards". In the beginning everybody may use the one that allows everything, so that a
cluster behaves as without them; whoever keeps tenants' namespaces takes that right away, and
gives each namespace its own (tenancy.pod_security_policies, which knows these names).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from provisioning import shell, versions
from provisioning.spec import ClusterSpec
from provisioning.steps.base import Context
from provisioning.steps.layout import API_PORT, KUBECTL, as_yaml
from provisioning.steps.resources import Command, Resource
from provisioning.texts import gettext as _

POLICY = "flotilla-"  # + level
ROLE = "flotilla:pod-security:"  # + level
OPEN = f"{ROLE}open"  # ClusterRoleBinding: everybody may use everything
PART = "pod-security"
LEVELS = ("privileged", "baseline", "restricted")
EVERYBODY = ("system:authenticated", "system:serviceaccounts")
_RBAC = "rbac.authorization.k8s.io"
_LABELS = {"app.kubernetes.io/managed-by": "flotilla", "app.kubernetes.io/component": PART}
_SECCOMP = "seccomp.security.alpha.kubernetes.io/"
_ANY: Mapping[str, Any] = {"rule": "RunAsAny"}
_DATA = ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
         "projected", "secret")  # fmt: skip
# Every other type but hostPath, which baseline allows too.
_STORES = ("awsElasticBlockStore", "azureDisk", "azureFile", "cephFS", "cinder", "fc", "flexVolume",
           "flocker", "gcePersistentDisk", "gitRepo", "glusterfs", "iscsi", "nfs",
           "photonPersistentDisk", "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos",
           "vsphereVolume")  # fmt: skip
_CAPABILITIES = ("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
                 "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID",
                 "SYS_CHROOT")  # fmt: skip


def policies() -> str:
    """The three policies and the roles that use them, as YAML; binds nobody."""
    found = []
    for level, (spec, notes) in _specs().items():
        metadata = {"name": f"{POLICY}{level}", "labels": _LABELS, "annotations": notes}
        found.append({**_POLICY_KIND, "metadata": metadata, "spec": spec})
        use = {
            "apiGroups": ["policy"],
            "resources": ["podsecuritypolicies"],
            "resourceNames": [f"{POLICY}{level}"],
            "verbs": ["use"],
        }
        role = {"name": f"{ROLE}{level}", "labels": _LABELS}
        found.append({**_rbac("ClusterRole"), "metadata": role, "rules": [use]})
    return as_yaml(*found)


def opening() -> str:
    """The binding by which everybody may use the policy that allows everything, as YAML."""
    return as_yaml(
        {
            **_rbac("ClusterRoleBinding"),
            "metadata": {"name": OPEN, "labels": _LABELS},
            "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": f"{ROLE}privileged"},
            "subjects": [{"apiGroup": _RBAC, "kind": "Group", "name": n} for n in EVERYBODY],
        }
    )


def pod_policies(ctx: Context) -> list[Resource]:
    """What makes the policies known to the cluster while it runs; [] where it needs none.

    They go to this host's API server, or to that of another control plane while this one does
    not answer; where none answers nobody makes pods, and nothing is done. The opening is made
    only before the policies are: where they are there already, it was taken away on purpose.
    """
    if not versions.POD_SECURITY_POLICY.at(versions.minor(ctx.spec.release.version)):
        return []
    find, k = _answering(ctx), f'{KUBECTL} --server="$server"'
    there = [f"podsecuritypolicies/{POLICY}{level} clusterroles/{ROLE}{level}" for level in LEVELS]
    return [
        # From standard input: a control plane that joins later has no files that others lack.
        Command(
            "pod-policies",
            _("Pod security policies, before an API server asks for them"),
            f'{find}[ -n "$server" ] || {{ echo "no API server answers"; exit 0; }}\n'
            f"there=$({k} get podsecuritypolicies {POLICY}privileged --ignore-not-found -o name)"
            " || exit 1\n"
            f"fl_opening() {{ cat <<'END'\n{opening()}END\n}}\n"
            f"fl_policies() {{ cat <<'END'\n{policies()}END\n}}\n"
            f'[ -n "$there" ] || fl_opening | {k} apply -f - || exit 1\n'
            f"fl_policies | {k} apply -f -\n",
            unless=f'{find}[ -z "$server" ] || {k} get {" ".join(there)}',
        ),
    ]


def without_policies(spec: ClusterSpec) -> list[Resource]:
    """Takes them away from a cluster whose releases have Pod Security, while they know the kind."""
    at = versions.minor(spec.release.version)
    if versions.POD_SECURITY_POLICY.at(at) or not versions.POD_SECURITY_POLICY_KIND.at(at):
        return []
    chosen = ",".join(f"{key}={value}" for key, value in _LABELS.items())
    kinds = "podsecuritypolicies,clusterroles,clusterrolebindings,rolebindings"
    return [
        Command(
            "no-pod-policies",
            _("Pod security policies of older releases go"),
            f"{KUBECTL} delete {kinds} --all-namespaces -l {chosen}",
            unless=f"left=$({KUBECTL} get {kinds} --all-namespaces -l {chosen} -o name)"
            ' && [ -z "$left" ]',
            once=False,
        )
    ]


def _answering(ctx: Context) -> str:
    """Shell text that sets $server to an API server that answers, "" when none does."""
    others = [shell.address(host.address) for host in ctx.spec.control_plane if host != ctx.here]
    servers = " ".join(f"https://{address}:{API_PORT}" for address in ("127.0.0.1", *others))
    return (
        f"server=\nfor s in {servers}; do\n"
        f"{KUBECTL} --server=$s --request-timeout=5s get --raw /readyz >/dev/null 2>&1"
        " && server=$s && break\ndone\n"
    )


_POLICY_KIND: Mapping[str, Any] = {"apiVersion": "policy/v1beta1", "kind": "PodSecurityPolicy"}


def _rbac(kind: str) -> dict[str, Any]:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind}


def _specs() -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
    """(spec, annotations) by level.

    What a policy cannot tell apart from being left out stays allowed: the AppArmor profile
    "unconfined" and options of SELinux (the standard refuses both from baseline on).
    """
    anyone = {"runAsUser": _ANY, "seLinux": _ANY, "supplementalGroups": _ANY, "fsGroup": _ANY}
    any_profile = {f"{_SECCOMP}allowedProfileNames": "*"}
    return {
        "privileged": (
            {
                "privileged": True,
                "allowPrivilegeEscalation": True,
                "allowedCapabilities": ["*"],
                "allowedUnsafeSysctls": ["*"],
                "allowedProcMountTypes": ["Default", "Unmasked"],
                "volumes": ["*"],
                "hostNetwork": True,
                "hostPorts": [{"min": 0, "max": 65535}],
                "hostIPC": True,
                "hostPID": True,
                **anyone,
            },
            any_profile,
        ),
        "baseline": (
            {
                "privileged": False,
                "allowedCapabilities": list(_CAPABILITIES),
                "volumes": [*_DATA, *_STORES],
                **anyone,
            },
            # As good as none: a container that names no profile runs without one there.
            any_profile,
        ),
        "restricted": (
            {
                "privileged": False,
                "allowPrivilegeEscalation": False,
                "requiredDropCapabilities": ["ALL"],
                "allowedCapabilities": ["NET_BIND_SERVICE"],
                "volumes": list(_DATA),
                **anyone,
                "runAsUser": {"rule": "MustRunAsNonRoot"},
            },
            {
                f"{_SECCOMP}allowedProfileNames": "runtime/default,docker/default",
                f"{_SECCOMP}defaultProfileName": "runtime/default",
            },
        ),
    }
