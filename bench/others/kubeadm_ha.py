"""keepalived and HAProxy with the settings of kubeadm's page on high availability.

https://github.com/kubernetes/kubeadm/blob/main/docs/ha-considerations.md, its option 1: services of
the operating system, started by the distribution's own units. Every value that the page gives is
its value; what it leaves out is left to the programs' defaults (VRRP advertisements each second,
checks of back ends every 2 s, 3 failures). One thing is ours, because the cluster's API servers
answer nobody without a certificate: the check of the back ends presents one.
"""

from __future__ import annotations

from collections.abc import Sequence

from lab import Host

PORT, API_PORT = 8443, 6443
CERTIFICATE = "/etc/kubernetes/pki/haproxy.pem"


def keepalived(place: int, interface: str, vip: str, router_id: int) -> str:
    """keepalived.conf of the place-th host: the first is MASTER with priority 101."""
    return f"""\
global_defs {{
    router_id LVS_DEVEL
}}
vrrp_script check_apiserver {{
    script "/etc/keepalived/check_apiserver.sh"
    interval 3
    weight -2
    fall 10
    rise 2
}}
vrrp_instance VI_1 {{
    state {"BACKUP" if place else "MASTER"}
    interface {interface}
    virtual_router_id {router_id}
    priority {100 if place else 101}
    authentication {{
        auth_type PASS
        auth_pass 42
    }}
    virtual_ipaddress {{
        {vip}
    }}
    track_script {{
        check_apiserver
    }}
}}
"""


def check(vip: str) -> str:
    """check_apiserver.sh: something answers on the load balancer's port, through the VIP too."""
    ask = "curl --silent --max-time 2 --insecure -o /dev/null https://"
    return f"""\
#!/bin/sh
{ask}localhost:{PORT}/ || exit 1
ip addr | grep -q {vip} || exit 0
{ask}{vip}:{PORT}/ || exit 1
"""


def haproxy(hosts: Sequence[Host]) -> str:
    """haproxy.cfg for these control planes."""
    servers = "".join(
        f"    server {host.name} {host.address}:{API_PORT} check verify none crt {CERTIFICATE}\n"
        for host in hosts
    )
    return f"""\
global
    log stdout format raw local0
    daemon
defaults
    mode http
    log global
    option httplog
    option dontlognull
    option http-server-close
    option redispatch
    retries 1
    timeout http-request 10s
    timeout queue 20s
    timeout connect 5s
    timeout client 35s
    timeout server 35s
    timeout http-keep-alive 10s
    timeout check 10s
frontend apiserver
    bind *:{PORT}
    mode tcp
    option tcplog
    default_backend apiserverbackend
backend apiserverbackend
    mode tcp
    option httpchk
    http-check connect ssl
    http-check send meth GET uri /healthz
    http-check expect status 200
    balance roundrobin
{servers}"""
