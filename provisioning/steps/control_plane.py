"""API server, controller manager and scheduler: flags, files, units, first objects."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning import versions
from provisioning.spec import ClusterSpec
from provisioning.steps import audit_policy
from provisioning.steps.base import Context, Step, Verdict
from provisioning.steps.certificates import kubeconfig_file, pair_files
from provisioning.steps.etcd import CLIENT_PORT
from provisioning.steps.layout import (
    API_PORT,
    BIN,
    KUBELET,
    KUBERNETES,
    PKI,
    UNITS,
    as_yaml,
    facts_here,
    unit_file,
)
from provisioning.steps.pod_policies import pod_policies
from provisioning.steps.resources import File, Resource, Unit

LOCAL_API = f"https://127.0.0.1:{API_PORT}"
STOP_SECONDS = 3  # more than HAProxy needs to notice: 1 s to the next check, 500 ms to the second
CIPHERS = (  # CIS 1.2.29: forward secrecy and authenticated encryption only
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,"
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,"
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"
)
COMPONENTS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")


def encryption_config(key: str | None) -> str | None:
    """Secrets at rest with XSalsa20-Poly1305 ("Encrypting Confidential Data at Rest")."""
    if key is None:
        return None
    providers = [{"secretbox": {"keys": [{"name": "key1", "secret": key}]}}, {"identity": {}}]
    return as_yaml(
        {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "EncryptionConfiguration",
            "resources": [{"resources": ["secrets"], "providers": providers}],
        }
    )


def authentication_config(version: str) -> str | None:
    """Anonymous access for the health paths alone, where the version can say so."""
    at = versions.minor(version)
    if not versions.ANONYMOUS_CONDITIONS.at(at):
        return None
    paths = [{"path": path} for path in ("/livez", "/readyz", "/healthz")]
    return as_yaml(
        {
            "apiVersion": versions.AUTHENTICATION_CONFIG_API.at(at),
            "kind": "AuthenticationConfiguration",
            "anonymous": {"enabled": True, "conditions": paths},
        }
    )


def admission_flag(version: str) -> str:
    """The API server's flag that switches on admission plug-ins."""
    return f"--enable-admission-plugins={','.join(versions.admission_plugins(version))}"


def apiserver_flags(ctx: Context) -> list[str]:
    """The API server's command line. CIS 1.2 names most of it."""
    spec, here = ctx.spec, ctx.here
    anonymous = "--anonymous-auth=false"
    if authentication_config(spec.release.version):
        anonymous = f"--authentication-config={KUBERNETES}/authentication.yaml"
    return [
        f"{BIN}/kube-apiserver",
        f"--advertise-address={here.address}",
        f"--secure-port={API_PORT}",
        # Its own member alone, as kubeadm's stacked topology has it: a host fails as a whole, and
        # HAProxy sees that by /readyz; members that come and go restart no API server.
        f"--etcd-servers=https://127.0.0.1:{CLIENT_PORT}",
        f"--etcd-cafile={PKI}/etcd/ca.crt",
        f"--etcd-certfile={PKI}/apiserver-etcd-client.crt",
        f"--etcd-keyfile={PKI}/apiserver-etcd-client.key",
        f"--service-cluster-ip-range={spec.service_cidr}",
        f"--client-ca-file={PKI}/ca.crt",
        f"--tls-cert-file={PKI}/apiserver.crt",
        f"--tls-private-key-file={PKI}/apiserver.key",
        "--tls-min-version=VersionTLS12",
        f"--tls-cipher-suites={CIPHERS}",
        f"--kubelet-certificate-authority={PKI}/ca.crt",
        f"--kubelet-client-certificate={PKI}/apiserver-kubelet-client.crt",
        f"--kubelet-client-key={PKI}/apiserver-kubelet-client.key",
        "--kubelet-preferred-address-types=InternalIP,Hostname",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-key-file={PKI}/sa.pub",
        f"--service-account-signing-key-file={PKI}/sa.key",
        f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-username-headers=X-Remote-User",
        f"--proxy-client-cert-file={PKI}/front-proxy-client.crt",
        f"--proxy-client-key-file={PKI}/front-proxy-client.key",
        "--authorization-mode=Node,RBAC",
        admission_flag(spec.release.version),
        "--enable-bootstrap-token-auth=true",
        anonymous,
        "--allow-privileged=true",
        "--profiling=false",
        # Told to stop, it fails /readyz first and goes on serving for so long: HAProxy sends the
        # next clients elsewhere before this one accepts nobody any more.
        *([f"--shutdown-delay-duration={STOP_SECONDS}s"] if spec.vip else []),
        f"--encryption-provider-config={KUBERNETES}/encryption.yaml",
        *audit_policy.flags(),
    ]


def _delegated(name: str) -> list[str]:
    kubeconfig = f"{KUBERNETES}/{name}.conf"
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        # With the authorities given here nothing is looked up at the start, so that all three
        # can start at the same moment.
        "--authentication-skip-lookup=true",
        f"--client-ca-file={PKI}/ca.crt",
        f"--requestheader-client-ca-file={PKI}/front-proxy-ca.crt",
        "--bind-address=127.0.0.1",
        "--profiling=false",
        "--leader-elect=true",
    ]


def controller_manager_flags(spec: ClusterSpec) -> list[str]:
    """The controller manager's command line (CIS 1.3)."""
    routed = spec.options.get("network", "routed") == "routed"
    return [
        f"{BIN}/kube-controller-manager",
        *_delegated("controller-manager"),
        *versions.insecure_port_flags(spec.release.version),
        f"--allocate-node-cidrs={'false' if routed else 'true'}",
        f"--cluster-cidr={spec.pod_cidr}",
        f"--service-cluster-ip-range={spec.service_cidr}",
        f"--cluster-name={spec.name}",
        f"--cluster-signing-cert-file={PKI}/ca.crt",
        f"--cluster-signing-key-file={PKI}/ca.key",
        "--cluster-signing-duration=8760h",
        f"--root-ca-file={PKI}/ca.crt",
        f"--service-account-private-key-file={PKI}/sa.key",
        "--use-service-account-credentials=true",
        "--controllers=*,bootstrapsigner,tokencleaner",
        "--terminated-pod-gc-threshold=1000",
        # It makes an account for each of its controllers first; the default of 20 requests a second
        # makes that the slowest part of a new cluster.
        "--kube-api-qps=100",
        "--kube-api-burst=150",
        # Its default folder is in /usr, which nobody would clean up.
        f"--flex-volume-plugin-dir={KUBELET}/volume-plugins",
    ]


def scheduler_flags(spec: ClusterSpec) -> list[str]:
    """The scheduler's command line (CIS 1.4)."""
    port = versions.insecure_port_flags(spec.release.version)
    return [f"{BIN}/kube-scheduler", *_delegated("scheduler"), *port]


class ControlPlane(Step):
    """The three programs, started together and not waited for: ApiReady does that."""

    id = "control-plane"
    title = "Control plane"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Keys and settings, units."""
        files = self._files(ctx)
        units = self._units(ctx)
        restarts = tuple(file.key for file in files)
        release = ctx.spec.release.version
        # Before an API server asks for them: one of a cluster that runs refuses every pod else.
        # One whose unit stays as it is asks for them already, or never will.
        stays = units["kube-apiserver"].evaluate(facts_here(ctx)).verdict is Verdict.OK
        policies = pod_policies(ctx) if ctx.spec.running and not stays else []
        found: list[Resource] = [*files, *policies]
        found += units.values()
        found += [
            Unit(
                f"{name}.service",
                restart_on=(*restarts, units[name].key),
                version=release,
                block=False,
            )
            for name in COMPONENTS
        ]
        return found

    @staticmethod
    def _files(ctx: Context) -> list[File]:
        material, at = ctx.material, f"hosts/{ctx.here.id}"
        files = [
            File(f"{PKI}/ca.crt", material.get("ca/kubernetes.crt")),
            File(f"{PKI}/ca.key", material.get("ca/kubernetes.key"), 0o600, secret=True),
            File(f"{PKI}/front-proxy-ca.crt", material.get("ca/front-proxy.crt")),
            File(f"{PKI}/sa.pub", material.get("service-account.pub")),
            File(f"{PKI}/sa.key", material.get("service-account.key"), 0o600, secret=True),
            File(
                f"{KUBERNETES}/encryption.yaml",
                encryption_config(material.get("encryption.key")),
                0o600,
                secret=True,
            ),
            File(audit_policy.FILE, audit_policy.audit_policy(ctx.spec.release.version), 0o600),
        ]
        for name in (
            "apiserver",
            "apiserver-kubelet-client",
            "apiserver-etcd-client",
            "front-proxy-client",
        ):
            files += pair_files(ctx, f"{at}/{name}", f"{PKI}/{name}")
        for name, user in (
            ("controller-manager", "system:kube-controller-manager"),
            ("scheduler", "system:kube-scheduler"),
            ("admin", "kubernetes-admin"),
        ):
            path = f"{KUBERNETES}/{name}.conf"
            files.append(kubeconfig_file(ctx, path, LOCAL_API, user, f"{at}/{name}"))
        authentication = authentication_config(ctx.spec.release.version)
        if authentication:
            files.append(File(f"{KUBERNETES}/authentication.yaml", authentication, 0o600))
        return files

    @staticmethod
    def _units(ctx: Context) -> dict[str, File]:
        commands = {
            "kube-apiserver": apiserver_flags(ctx),
            "kube-controller-manager": controller_manager_flags(ctx.spec),
            "kube-scheduler": scheduler_flags(ctx.spec),
        }
        titles = {
            "kube-apiserver": "Kubernetes API server",
            "kube-controller-manager": "Kubernetes controller manager",
            "kube-scheduler": "Kubernetes scheduler",
        }
        return {
            name: File(
                f"{UNITS}/{name}.service",
                unit_file(
                    titles[name],
                    command,
                    after="network-online.target etcd.service",
                    service=(
                        "Type=notify",
                        "TimeoutStartSec=180",
                        # Told to stop, it waits a minute for watches, which never end by
                        # themselves; requests have had their time by then.
                        f"TimeoutStopSec={STOP_SECONDS + 5}",
                        # Its audit log is for root alone; older releases make it 0644, and
                        # give a new file the mode of the one before.
                        "UMask=0077",
                        f"ExecStartPre=-/bin/chmod -R go= {audit_policy.FOLDER}",
                    )
                    if name == "kube-apiserver"
                    else ("Type=simple",),
                ),
            )
            for name, command in commands.items()
        }
