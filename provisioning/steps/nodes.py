"""The parts of every node: kubelet and kube-proxy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from provisioning import pki, versions
from provisioning.facts_state import KubeletCertificate
from provisioning.steps.base import Context, Step
from provisioning.steps.certificates import (
    expired_certificate,
    kubeconfig_file,
    needs_bootstrap,
    pair_files,
)
from provisioning.steps.dns import dns_choice
from provisioning.steps.layout import (
    API_PORT,
    BIN,
    KUBELET,
    KUBELET_CERTIFICATE,
    KUBERNETES,
    PKI,
    UNITS,
    as_yaml,
    cgroup_driver,
    facts_here,
    is_control_plane,
    service_address,
    unit_file,
)
from provisioning.steps.resources import Command, File, Resource, Unit, Wait
from provisioning.texts import gettext as _

BOOTSTRAP = f"{KUBERNETES}/bootstrap-kubelet.conf"


def api_address(ctx: Context) -> str:
    """The API as this node reaches it: its own on a control plane, else the cluster's entry."""
    if is_control_plane(ctx.spec, ctx.here):
        return f"https://127.0.0.1:{API_PORT}"
    return ctx.spec.endpoint or f"https://{ctx.spec.control_plane[0].address}:{API_PORT}"


def kubelet_config(ctx: Context) -> str:
    """KubeletConfiguration for this host (CIS 4.2)."""
    facts = facts_here(ctx)
    config: dict[str, Any] = {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True, "cacheTTL": "2m0s"},
            "x509": {"clientCAFile": f"{PKI}/ca.crt"},
        },
        "authorization": {"mode": "Webhook"},
        "readOnlyPort": 0,
        "tlsCertFile": f"{PKI}/kubelet.crt",
        "tlsPrivateKeyFile": f"{PKI}/kubelet.key",
        "tlsMinVersion": "VersionTLS12",
        "rotateCertificates": True,
        "cgroupDriver": cgroup_driver(facts),
        "clusterDomain": "cluster.local",
        "failSwapOn": not facts.container,
        "protectKernelDefaults": not facts.container,
        "makeIPTablesUtilChains": True,
        "volumePluginDir": f"{KUBELET}/volume-plugins",
        "containerLogMaxSize": "10Mi",
        "healthzBindAddress": "127.0.0.1",
    }
    if dns_choice(ctx.spec) != "none":
        config["clusterDNS"] = [service_address(ctx.spec, 10)]
    config.update(versions.kubelet_config(ctx.spec.release.version, facts.cgroup))
    return as_yaml(config)


def kubelet_flags(ctx: Context) -> list[str]:
    """The kubelet's command line: what cannot stand in its configuration file."""
    spec = ctx.spec
    flags = [
        f"{BIN}/kubelet",
        f"--config={KUBERNETES}/kubelet.yaml",
        f"--kubeconfig={KUBERNETES}/kubelet.conf",
        f"--bootstrap-kubeconfig={BOOTSTRAP}",
        f"--cert-dir={KUBELET}/pki",
        f"--hostname-override={ctx.here.name}",
        f"--node-ip={ctx.here.address}",
        *versions.kubelet_flags(spec.release.version, spec.release.pause_image),
    ]
    if is_control_plane(spec, ctx.here) and not spec.options.get("schedule_on_control_plane", True):
        taint = versions.CONTROL_PLANE_TAINT.at(versions.minor(spec.release.version))
        flags.append(f"--register-with-taints={taint}=:NoSchedule")
    return flags


def proxy_config(ctx: Context) -> str:
    """KubeProxyConfiguration: iptables; in a container the conntrack table stays as it is."""
    config: dict[str, Any] = {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "clientConnection": {"kubeconfig": f"{KUBERNETES}/kube-proxy.conf"},
        "mode": "iptables",
        "clusterCIDR": ctx.spec.pod_cidr,
        "hostnameOverride": ctx.here.name,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
    }
    if facts_here(ctx).container:
        # 0 leaves the setting as it is; a container may not write it.
        config["conntrack"] = {
            "maxPerCore": 0,
            "min": 0,
            "tcpEstablishedTimeout": "0s",
            "tcpCloseWaitTimeout": "0s",
        }
    return as_yaml(config)


class Node(Step):
    """kubelet and kube-proxy; the kubelet introduces itself by the bootstrap token."""

    id = "node"
    title = "Node"
    timeout = 240

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Keys, settings and units of both, and the wait for the kubelet's certificate."""
        at = f"hosts/{ctx.here.id}"
        release, machine = ctx.spec.release.version, facts_here(ctx).virtualisation
        authority = File(f"{PKI}/ca.crt", ctx.material.get("ca/kubernetes.crt"))
        kubelet: list[Resource] = [
            authority,
            *pair_files(ctx, f"{at}/kubelet-serving", f"{PKI}/kubelet"),
            File(f"{KUBERNETES}/kubelet.yaml", kubelet_config(ctx)),
            File(
                f"{UNITS}/kubelet.service",
                unit_file(
                    "Kubernetes node agent",
                    kubelet_flags(ctx),
                    after="network-online.target containerd.service kubernetes-network.service",
                    service=("Type=simple", *versions.kubelet_environment(release, machine)),
                ),
            ),
        ]
        user = "system:kube-proxy"
        proxy: list[Resource] = [
            kubeconfig_file(
                ctx, f"{KUBERNETES}/kube-proxy.conf", api_address(ctx), user, f"{at}/kube-proxy"
            ),
            File(f"{KUBERNETES}/kube-proxy.yaml", proxy_config(ctx)),
            File(
                f"{UNITS}/kube-proxy.service",
                unit_file(
                    "Kubernetes service proxy",
                    (f"{BIN}/kube-proxy", f"--config={KUBERNETES}/kube-proxy.yaml"),
                ),
            ),
        ]
        return [
            *kubelet,
            *proxy,
            *self._bootstrap(ctx),
            Unit("kubelet.service", True, True, tuple(r.key for r in kubelet), release),
            Unit("kube-proxy.service", True, True, tuple(r.key for r in proxy), release),
            Wait(
                "kubelet-certificate",
                _("The kubelet has its certificate"),
                f"[ -e {KUBELET_CERTIFICATE} ] && [ -e {KUBERNETES}/kubelet.conf ]",
                120,
                _("the cluster has given the kubelet its certificate"),
                "journalctl -u kubelet -n 20 --no-pager -o cat",
                ("kubelet.service",),
            ),
        ]

    @staticmethod
    def _bootstrap(ctx: Context) -> list[Resource]:
        if not needs_bootstrap(ctx, ctx.here):
            return []
        token, authority = (
            ctx.material.get("bootstrap.token"),
            ctx.material.get("ca/kubernetes.crt"),
        )
        content = None
        if token and authority:
            content = pki.kubeconfig(
                api_address(ctx), authority, cluster=ctx.spec.name, user="bootstrap", token=token
            )
        found: list[Resource] = [File(BOOTSTRAP, content, 0o600, secret=True)]
        expired = expired_certificate(ctx, ctx.here)
        if expired is not None:
            found.append(_forgotten(expired.sha256))
        return found


def _forgotten(sha256: str) -> Command:
    """A certificate that has ended is taken away, so that the kubelet introduces itself anew."""
    pems, conf = f"{KUBELET}/pki/kubelet-client-*.pem", f"{KUBERNETES}/kubelet.conf"
    return Command(
        "kubelet-forgets",
        _("The kubelet's certificate that has ended is taken away"),
        f"systemctl stop kubelet.service && rm -f {pems} {conf}",
        unless=f'[ "$({KubeletCertificate.prints} | sha256sum | cut -c1-64)" != {sha256} ]',
        once=False,
    )
