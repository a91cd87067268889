"""containerd and the programs that the kubelet and kube-proxy call."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning.spec import ClusterSpec
from provisioning.steps.base import Context, Step
from provisioning.steps.layout import CNI_CONFIG, cgroup_driver, facts_here, release_files
from provisioning.steps.resources import File, Package, Resource, Unit

CONFIG = "/etc/containerd/config.toml"


def cni_programs(spec: ClusterSpec) -> str:
    """The folder of the CNI plug-ins: ours when the release has them, else the distribution's."""
    return "/opt/cni/bin" if release_files(spec, "cni") else "/usr/lib/cni"


def containerd_config(ctx: Context) -> str:
    """containerd's configuration (version 2, which 1.4 to 2.x read) for this very host."""
    facts = facts_here(ctx)
    systemd = "true" if cgroup_driver(facts) == "systemd" else "false"
    restrict = "false" if facts.cap_sys_resource else "true"
    return f"""# Written by Flotilla; changes are put back by the next repair.
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{ctx.spec.release.pause_image}"
  # Lowering an OOM score needs CAP_SYS_RESOURCE, which hosts that are containers may lack.
  restrict_oom_score_adj = {restrict}

  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "runc"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"

      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = {systemd}

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{cni_programs(ctx.spec)}"
    conf_dir = "{CNI_CONFIG}"

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.internal.v1.opt"]
  # Its default is in /opt, which would stay behind.
  path = "/var/lib/containerd/opt"
"""


class Runtime(Step):
    """The container runtime, configured for the host and running."""

    id = "runtime"
    title = "Container runtime"
    timeout = 600

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Packages where they are missing, containerd's configuration, its unit."""
        found: list[Resource] = [
            Package("containerd", "/usr/bin/containerd"),
            Package("iptables", "/usr/sbin/iptables"),
            Package("conntrack", "/usr/sbin/conntrack"),
        ]
        if not release_files(ctx.spec, "cni"):
            found.append(Package("containernetworking-plugins", "/usr/lib/cni/bridge"))
        found += [
            File(CONFIG, containerd_config(ctx)),
            Unit("containerd.service", restart_on=(f"file:{CONFIG}",)),
        ]
        return found
