"""What pod security refuses about a pod, and why.

Source: "Pod Security Standards", levels baseline and restricted, as the API server's own
admission enforces them from 1.23 on. A field of the wrong type, which the API server would
not even read, counts as the worst that it can be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from tenancy.models_namespaces import PodSecurity

JSON = Mapping[str, Any]

_WINDOWS_SINCE = 25
_HOSTS_SINCE = 34
_ADD_BASELINE = frozenset(
    {"AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD",
     "NET_BIND_SERVICE", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"}
)  # fmt: skip
_ADD_RESTRICTED = frozenset({"NET_BIND_SERVICE"})
_SELINUX_TYPES = {"", "container_t", "container_init_t", "container_kvm_t"}
_SELINUX_SINCE = {31: "container_engine_t"}
_SYSCTLS: Mapping[str, int] = {
    "kernel.shm_rmid_forced": 0,
    "net.ipv4.ip_local_port_range": 0,
    "net.ipv4.ip_unprivileged_port_start": 0,
    "net.ipv4.tcp_syncookies": 0,
    "net.ipv4.ping_group_range": 0,
    "net.ipv4.ip_local_reserved_ports": 27,
    "net.ipv4.tcp_keepalive_time": 29,
    "net.ipv4.tcp_fin_timeout": 29,
    "net.ipv4.tcp_keepalive_intvl": 29,
    "net.ipv4.tcp_keepalive_probes": 29,
    "net.ipv4.tcp_rmem": 32,
    "net.ipv4.tcp_wmem": 32,
}
_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim",
     "projected", "secret"}
)  # fmt: skip
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"


@dataclass(frozen=True)
class Violation:
    """One thing that pod security refuses.

    level: the one whose rule this is. rule: its name in the standard.
    container: "" when it is of the whole pod. field: where it stands. why: with the mend.
    """

    level: str
    rule: str
    container: str
    field: str
    why: str


def violations(level: str, pod: JSON, minor: int) -> list[Violation]:
    """What of a pod ({"metadata", "spec"}, or a template) the level refuses; [] when nothing.

    level: of tenancy.models.PodSecurity. minor: of the cluster's Kubernetes 1.x.
    """
    if level == PodSecurity.PRIVILEGED:
        return []
    found = list(_Pod(pod, minor, PodSecurity.BASELINE).baseline())
    if level == PodSecurity.RESTRICTED:
        # The stricter rule about the same field says it all.
        stricter = list(_Pod(pod, minor, PodSecurity.RESTRICTED).restricted())
        fields = {one.field for one in stricter}
        found = [one for one in found if one.field not in fields] + stricter
    return found


class _Pod:
    """A pod under examination."""

    def __init__(self, pod: JSON, minor: int, level: PodSecurity) -> None:
        self._spec, self._minor, self._level = _map(pod.get("spec")), minor, level
        self._annotations = _map(_map(pod.get("metadata")).get("annotations"))
        self._context = _map(self._spec.get("securityContext"))
        self._containers = [
            (kind, container)
            for kind in ("initContainers", "containers", "ephemeralContainers")
            for container in _maps(self._spec.get(kind))
        ]

    def baseline(self) -> Iterator[Violation]:
        for key in ("hostNetwork", "hostPID", "hostIPC"):
            if self._spec.get(key) not in (None, False):
                yield self._of_pod("Host Namespaces", f"spec.{key}", _("it must be false or unset"))
        yield from self._host_paths()
        yield from self._sysctls()
        yield from self._apparmor_annotations()
        yield from self._profiles("", "spec.securityContext", self._context)
        for kind, container in self._containers:
            name, at = _name(container), f"spec.{kind}[{_name(container)}]"
            context = _map(container.get("securityContext"))
            where = f"{at}.securityContext"
            if context.get("privileged") not in (None, False):
                yield self._of("Privileged Containers", name, f"{where}.privileged",
                               _("it must be false or unset"))  # fmt: skip
            yield from self._added(name, where, context, _ADD_BASELINE)
            yield from self._host_ports(name, at, container)
            if context.get("procMount") not in (None, "", "Default"):
                yield self._of("/proc Mount Type", name, f"{where}.procMount",
                               _("it must be Default or unset"))  # fmt: skip
            yield from self._profiles(name, where, context)
            if self._minor >= _HOSTS_SINCE:
                yield from self._handler_hosts(name, at, container)

    def restricted(self) -> Iterator[Violation]:
        yield from self._volume_types()
        for kind, container in self._containers:
            name, where = _name(container), f"spec.{kind}[{_name(container)}].securityContext"
            context = _map(container.get("securityContext"))
            yield from self._user(name, where, context)
            if self._is_windows():
                continue
            if context.get("allowPrivilegeEscalation") is not False:
                yield self._of("Privilege Escalation", name, f"{where}.allowPrivilegeEscalation",
                               _("it must be false"))  # fmt: skip
            profile = _map(context.get("seccompProfile") or self._context.get("seccompProfile"))
            if not profile.get("type"):
                yield self._of("Seccomp", name, f"{where}.seccompProfile.type",
                               _("it must be RuntimeDefault or Localhost, here or for the "
                                 "whole pod"))  # fmt: skip
            dropped = _texts(_map(context.get("capabilities")).get("drop"))
            if "ALL" not in dropped:
                yield self._of("Capabilities", name, f"{where}.capabilities.drop",
                               _("it must hold ALL"))  # fmt: skip
            yield from self._added(name, where, context, _ADD_RESTRICTED)
        if self._context.get("runAsUser") == 0:
            yield self._of_pod("Running as Non-root user", "spec.securityContext.runAsUser",
                               _("it must not be 0"))  # fmt: skip

    def _is_windows(self) -> bool:
        os = _map(self._spec.get("os")).get("name")
        return os == "windows" and self._minor >= _WINDOWS_SINCE

    def _user(self, name: str, where: str, context: JSON) -> Iterator[Violation]:
        own, of_pod = context.get("runAsNonRoot"), self._context.get("runAsNonRoot")
        if (own if own is not None else of_pod) is not True:
            yield self._of("Running as Non-root", name, f"{where}.runAsNonRoot",
                           _("it must be true, here or for the whole pod"))  # fmt: skip
        if context.get("runAsUser") == 0:
            yield self._of("Running as Non-root user", name, f"{where}.runAsUser",
                           _("it must not be 0"))  # fmt: skip

    def _host_paths(self) -> Iterator[Violation]:
        for volume in _maps(self._spec.get("volumes")):
            if volume.get("hostPath") is not None:
                yield self._of_pod("HostPath Volumes", f"spec.volumes[{_name(volume)}].hostPath",
                                   _("folders of the node cannot be mounted"))  # fmt: skip

    def _volume_types(self) -> Iterator[Violation]:
        for volume in _maps(self._spec.get("volumes")):
            if not any(volume.get(kind) is not None for kind in (*_VOLUMES, "hostPath")):
                why = _("its type must be one of %(types)s") % {
                    "types": ", ".join(sorted(_VOLUMES))
                }
                yield self._of_pod("Volume Types", f"spec.volumes[{_name(volume)}]", why)

    def _sysctls(self) -> Iterator[Violation]:
        for sysctl in _maps(self._context.get("sysctls")):
            if self._minor < _SYSCTLS.get(_name(sysctl), 10**6):
                yield self._of_pod("Sysctls", f"spec.securityContext.sysctls[{_name(sysctl)}]",
                                   _("this one is not among the safe ones"))  # fmt: skip

    def _apparmor_annotations(self) -> Iterator[Violation]:
        for key, value in self._annotations.items():
            fine = value in ("", "runtime/default") or str(value).startswith("localhost/")
            if str(key).startswith(_APPARMOR) and not fine:
                yield self._of_pod("AppArmor", f"metadata.annotations[{str(key)[:120]}]",
                                   _("it must be runtime/default or localhost/*"))  # fmt: skip

    def _profiles(self, name: str, where: str, context: JSON) -> Iterator[Violation]:
        """What a pod and a container say in the same words."""
        for field, rule in (("seccompProfile", "Seccomp"), ("appArmorProfile", "AppArmor")):
            if _map(context.get(field)).get("type") not in (None, "RuntimeDefault", "Localhost"):
                yield self._of(rule, name, f"{where}.{field}.type",
                               _("it must be RuntimeDefault, Localhost or unset"))  # fmt: skip
        options = _map(context.get("seLinuxOptions"))
        types = _SELINUX_TYPES | {t for since, t in _SELINUX_SINCE.items() if self._minor >= since}
        if str(options.get("type") or "") not in types:
            yield self._of("SELinux", name, f"{where}.seLinuxOptions.type",
                           _("it must be unset or one of %(types)s")
                           % {"types": ", ".join(sorted(types - {""}))})  # fmt: skip
        for key in ("user", "role"):
            if options.get(key):
                yield self._of("SELinux", name, f"{where}.seLinuxOptions.{key}",
                               _("it must be unset"))  # fmt: skip
        if _map(context.get("windowsOptions")).get("hostProcess") not in (None, False):
            yield self._of("HostProcess", name, f"{where}.windowsOptions.hostProcess",
                           _("it must be false or unset"))  # fmt: skip

    def _added(
        self, name: str, where: str, context: JSON, allowed: frozenset[str]
    ) -> Iterator[Violation]:
        added = _texts(_map(context.get("capabilities")).get("add"))
        if wrong := [one for one in added if one not in allowed]:
            why = _("%(names)s cannot be added") % {"names": ", ".join(wrong)}
            yield self._of("Capabilities", name, f"{where}.capabilities.add", why)

    def _host_ports(self, name: str, at: str, container: JSON) -> Iterator[Violation]:
        for port in _maps(container.get("ports")):
            if port.get("hostPort") not in (None, 0):
                yield self._of("Host Ports", name, f"{at}.ports[].hostPort",
                               _("ports of the node cannot be taken"))  # fmt: skip

    def _handler_hosts(self, name: str, at: str, container: JSON) -> Iterator[Violation]:
        lifecycle = _map(container.get("lifecycle"))
        handlers = {
            f"lifecycle.{key}": _map(lifecycle.get(key)) for key in ("postStart", "preStop")
        } | {key: _map(container.get(key)) for key in
             ("livenessProbe", "readinessProbe", "startupProbe")}  # fmt: skip
        for field, handler in handlers.items():
            for kind in ("httpGet", "tcpSocket"):
                if _map(handler.get(kind)).get("host"):
                    yield self._of("Host Probes / Lifecycle Hooks", name,
                                   f"{at}.{field}.{kind}.host", _("it must be unset"))  # fmt: skip

    def _of_pod(self, rule: str, field: str, why: str) -> Violation:
        return self._of(rule, "", field, why)

    def _of(self, rule: str, container: str, field: str, why: str) -> Violation:
        return Violation(self._level, rule, container, field, why)


def _map(value: Any) -> JSON:
    return value if isinstance(value, dict) else {}


def _maps(value: Any) -> list[JSON]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    return [str(one)[:40] for one in value] if isinstance(value, list) else []


def _name(of: JSON) -> str:
    return str(of.get("name") or "")[:63]
