"""The network plug-in "routed": a bridge on each node and a route to every other node's range."""

from __future__ import annotations

import json
from collections.abc import Sequence

from provisioning import shell
from provisioning.steps.base import Context, Step
from provisioning.steps.layout import CNI_CONFIG, KUBERNETES, UNITS, pod_range
from provisioning.steps.resources import File, Resource, Unit

SCRIPT = f"{KUBERNETES}/network.sh"
UNIT = "kubernetes-network.service"
ROUTES = 201  # the mark (rtnetlink protocol) by which our routes are told from others


def cni_config(ctx: Context) -> str:
    """The list of plug-ins for containerd: bridge with host-local addresses, host ports."""
    ipam = {
        "type": "host-local",
        "ranges": [[{"subnet": pod_range(ctx.spec, ctx.here)}]],
        "routes": [{"dst": "0.0.0.0/0"}],
    }
    bridge = {
        "type": "bridge",
        "bridge": "cni0",
        "isGateway": True,
        "hairpinMode": True,
        "ipMasq": False,  # by network.sh, which leaves traffic between pods alone
        "ipam": ipam,
    }
    content = {
        "cniVersion": "0.4.0",
        "name": "kubernetes",
        "plugins": [bridge, {"type": "portmap", "capabilities": {"portMappings": True}}],
    }
    return json.dumps(content, indent=2) + "\n"


def network_script(ctx: Context) -> str:
    """The script that `kubernetes-network.service` runs: `start` sets, `stop` takes back."""
    pods = shell.network(ctx.spec.pod_cidr)
    routes = [
        (shell.network(pod_range(ctx.spec, host)), shell.address(host.address))
        for host in ctx.spec.hosts
        if host != ctx.here
    ]
    add = "\n".join(
        f"  ip route replace {net} via {via} proto {ROUTES} || exit 1" for net, via in routes
    )
    wanted = " ".join(net for net, _via in routes)
    return f"""#!/bin/sh
# Written by Flotilla; changes are put back by the next repair.
# Pod ranges of the other nodes, masquerading of what leaves the pod network,
# and forwarding where the host's own policy would drop it.
PATH=/usr/sbin:/usr/bin:/sbin:/bin
rule() {{ # table chain rule...
  t=$1; c=$2; shift 2
  iptables -w -t "$t" -C "$c" "$@" 2>/dev/null || iptables -w -t "$t" -A "$c" "$@" || exit 1
}}
chain() {{ # table chain parent
  iptables -w -t "$1" -n -L "$2" >/dev/null 2>&1 || iptables -w -t "$1" -N "$2" || exit 1
  iptables -w -t "$1" -C "$3" -j "$2" 2>/dev/null || iptables -w -t "$1" -I "$3" -j "$2" || exit 1
}}
gone() {{ # table chain parent
  iptables -w -t "$1" -D "$3" -j "$2" 2>/dev/null
  iptables -w -t "$1" -F "$2" 2>/dev/null && iptables -w -t "$1" -X "$2"
}}
case $1 in
start)
{add or "  :"}
  # Hosts that have left.
  ip -4 route show proto {ROUTES} | while read -r net rest; do
    case " {wanted} " in *" $net "*) ;; *) ip route del "$net" proto {ROUTES} ;; esac
  done
  chain nat FLOTILLA-POSTROUTING POSTROUTING
  rule nat FLOTILLA-POSTROUTING -s {pods} -d 224.0.0.0/4 -j RETURN
  rule nat FLOTILLA-POSTROUTING -s {pods} ! -d {pods} -j MASQUERADE
  chain filter FLOTILLA-FORWARD FORWARD
  rule filter FLOTILLA-FORWARD -s {pods} -j ACCEPT
  rule filter FLOTILLA-FORWARD -d {pods} -j ACCEPT
  ;;
stop)
  ip -4 route flush proto {ROUTES}
  gone nat FLOTILLA-POSTROUTING POSTROUTING
  gone filter FLOTILLA-FORWARD FORWARD
  ;;
esac
exit 0
"""


class RoutedNetwork(Step):
    """Routes and plug-in configuration of one node. One layer-2 network, no NetworkPolicy."""

    id = "network"
    title = "Pod network (routed)"
    timeout = 120

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """The script and its unit first, so that a pod never runs without its routes."""
        unit = f"""# Written by Flotilla; changes are put back by the next repair.
[Unit]
Description=Routes between the pods of this cluster
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={SCRIPT} start
ExecReload={SCRIPT} start
ExecStop={SCRIPT} stop

[Install]
WantedBy=multi-user.target
"""
        script = File(SCRIPT, network_script(ctx), 0o755)
        unit_file = File(f"{UNITS}/{UNIT}", unit)
        return [
            script,
            unit_file,
            # Reloaded: pods keep their routes while others come and go.
            Unit(UNIT, restart_on=(script.key, unit_file.key), reload=True),
            File(f"{CNI_CONFIG}/10-kubernetes.conflist", cni_config(ctx), 0o600),
        ]
