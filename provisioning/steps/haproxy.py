"""HAProxy in front of all API servers, on every control plane of a standard cluster."""

from __future__ import annotations

from collections.abc import Sequence

from provisioning import shell
from provisioning.spec import HostSpec
from provisioning.steps.base import Context, Step
from provisioning.steps.certificates import pair
from provisioning.steps.layout import API_PORT, PKI, UNITS
from provisioning.steps.resources import File, Package, Probe, Resource, Unit
from provisioning.texts import gettext as _

ENTRY_PORT = 8443  # the API's entry: VIP:8443
STATUS_PORT = 8444  # for the console alone: who holds the VIP, which back ends are up
ALIVE_PORT = 8445  # on 127.0.0.1, for keepalived: 200 while HAProxy has an API server, else 503
CONSOLE = "flotilla:console"  # CN of the console's client certificate (steps/certificates.py)
CONFIG = "/etc/haproxy/haproxy.cfg"
PEM = f"{PKI}/haproxy.pem"
DROP_IN = f"{UNITS}/haproxy.service.d/flotilla.conf"
RUN = "/run/flotilla-vip"  # for what keepalived and HAProxy tell each other
DOWN = f"{RUN}/haproxy-down"  # 0: HAProxy runs, 1: it does not


def haproxy_config(ctx: Context) -> str:
    """The whole of haproxy.cfg for HAProxy 2.4 or newer.

    Raises ValueError for a name or address that must not stand in it.
    """
    return "\n".join((*_global(), *_entry(ctx), *_status(ctx.here), *_alive()))


def _global() -> list[str]:
    return [
        "# Written by Flotilla; changes are put back by the next repair.",
        "global",
        # To the unit's journal: /dev/log is not everywhere, least of all inside the chroot.
        "    log stdout format raw daemon info",
        "    chroot /var/lib/haproxy",
        "    user haproxy",
        "    group haproxy",
        # The new worker takes the listening sockets over from the old one: a reload refuses nobody.
        f"    stats socket {RUN}/haproxy.sock mode 600 level admin expose-fd listeners",
        "    ssl-default-bind-options ssl-min-ver TLSv1.2 no-tls-tickets",
        "    ssl-default-server-options ssl-min-ver TLSv1.2",
        # After a reload the old worker lives for as long as the sessions that it has.
        "    hard-stop-after 5h",
        "",
        "defaults",
        "    log global",
        "    option dontlognull",
        "    option dontlog-normal",
        # A host without power answers nothing: after half a second the next one is tried.
        "    timeout connect 500ms",
        "    timeout check 2s",
        "    retries 3",
        "    option redispatch 1",
        "",
    ]


def _entry(ctx: Context) -> list[str]:
    lines = [
        "frontend api",
        "    mode tcp",
        "    option tcplog",
        f"    bind *:{ENTRY_PORT}",
        # `kubectl logs -f` and `exec` may be silent for hours; a peer that is gone is found by
        # TCP keepalive within a minute and a half.
        "    timeout client 4h",
        "    option clitcpka",
        *(f"    clitcpka-{word}" for word in ("idle 60s", "intvl 10s", "cnt 3")),
        "    default_backend api-servers",
        "",
        "backend api-servers",
        "    mode tcp",
        # Clients keep their connections for days. Round robin would leave an API server that was
        # away with few of them; so the next ones go to whoever has fewest.
        "    balance leastconn",
        "    timeout server 4h",
        "    option srvtcpka",
        *(f"    srvtcpka-{word}" for word in ("idle 60s", "intvl 10s", "cnt 3")),
        "    option httpchk GET /readyz",
        "    http-check expect status 200",
        "    option log-health-checks",
        # The API server lets nobody ask without a name: the check has a client certificate.
        f"    default-server check check-ssl verify required ca-file {PKI}/ca.crt crt {PEM}"
        " inter 1s fastinter 200ms downinter 500ms fall 2 rise 2 on-marked-down shutdown-sessions"
        # Connections that fail count too: then one failed check is enough.
        " observe layer4 error-limit 2 on-error sudden-death",
    ]
    lines += [
        f"    server {name} {shell.address(host.address)}:{API_PORT}"
        f" verifyhost {name} check-sni {name}"
        for host in ctx.spec.control_plane
        for name in (shell.label(host.name),)
    ]
    return [*lines, ""]


def _status(here: HostSpec) -> list[str]:
    return [
        "frontend console",
        "    mode http",
        "    option httplog",
        f"    bind *:{STATUS_PORT} ssl crt {PEM} ca-file {PKI}/ca.crt verify required",
        "    timeout client 10s",
        "    timeout http-request 5s",
        "    timeout http-keep-alive 10s",
        f"    http-request deny deny_status 403 unless {{ ssl_c_s_dn(CN) -m str {CONSOLE} }}",
        "    http-request deny deny_status 405 unless METH_GET",
        # Through the VIP it is the holder that answers.
        "    http-request return status 200 content-type text/plain"
        f" string {shell.label(here.name)} if {{ path /holder }}",
        "    http-request deny deny_status 404 unless { path_beg /stats }",
        "    stats enable",
        "    stats uri /stats",
        "    stats hide-version",
        "",
    ]


def _alive() -> list[str]:
    return [
        "frontend alive",
        "    mode http",
        "    no log",
        f"    bind 127.0.0.1:{ALIVE_PORT}",
        "    timeout client 2s",
        "    monitor-uri /",
        # A host that the others do not hear takes the VIP, and with it every client. When it finds
        # no API server behind itself it must not keep them from the host that has some.
        "    monitor fail if { nbsrv(api-servers) eq 0 }",
        "    http-request deny",
        "",
    ]


def haproxy_drop_in(cluster: int) -> str:
    """What the distribution's unit lacks: it comes back at once, and keepalived hears of its end.

    systemd runs ExecStopPost also after a crash or a kill.
    """
    return "\n".join(
        (
            "# Written by Flotilla; changes are put back by the next repair.",
            "[Unit]",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            # Debian's unit makes a file for /dev/log in the chroot, which its package then leaves.
            "BindReadOnlyPaths=",
            f"Environment=FLOTILLA_CLUSTER={cluster:d}",
            f"RuntimeDirectory={RUN.removeprefix('/run/')}",
            "RuntimeDirectoryPreserve=yes",
            f"ExecStartPost=/bin/sh -c 'echo 0 >{DOWN}'",
            f"ExecStopPost=/bin/sh -c 'echo 1 >{DOWN}'",
            # Whoever loads a control plane must not make the API's entry slow, nor the news of its
            # end, which are this unit's commands too.
            "Nice=-15",
            "Restart=always",
            "RestartSec=100ms",
            # HAProxy takes as many connections as this allows, about half.
            "LimitNOFILE=65536",
            "",
        )
    )


def haproxy_pem(ctx: Context) -> str | None:
    """Certificate and key in one text, as HAProxy reads them; None while they are not made."""
    found = pair(ctx.material, f"hosts/{ctx.here.id}/haproxy")
    return None if found is None else found.certificate + found.key


class HAProxy(Step):
    """The distribution's HAProxy with our settings."""

    id = "haproxy"
    title = "HAProxy"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Package, keys, settings, a look at the settings by HAProxy itself, unit."""
        settings = [
            File(f"{PKI}/ca.crt", ctx.material.get("ca/kubernetes.crt")),
            File(PEM, haproxy_pem(ctx), 0o600, secret=True),
            File(CONFIG, haproxy_config(ctx)),
        ]
        return [
            Package("haproxy", "/usr/sbin/haproxy"),
            *settings,
            File(DROP_IN, haproxy_drop_in(ctx.spec.id)),
            Probe(
                "haproxy-config",
                _("HAProxy takes its settings"),
                f"haproxy -c -q -f {CONFIG}",
                _("settings that this HAProxy understands; it must be 2.4 or newer"),
                "settings_refused",
                _("asks HAProxy to read its settings, without using them"),
            ),
            Unit("haproxy.service", restart_on=tuple(file.key for file in settings), reload=True),
        ]
