"""keepalived, which holds the VIP of a standard cluster on one of its control planes."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from provisioning import shell
from provisioning.facts import Address
from provisioning.steps.base import Context, Step
from provisioning.steps.haproxy import ALIVE_PORT, DOWN, ENTRY_PORT, RUN
from provisioning.steps.layout import UNITS, facts_here
from provisioning.steps.resources import File, Package, Probe, Resource, Unit, Wait
from provisioning.texts import gettext as _

CONFIG = "/etc/keepalived/keepalived.conf"
CHECK = "/etc/keepalived/haproxy-answers"
DROP_IN = f"{UNITS}/keepalived.service.d/flotilla.conf"
ADVERTISEMENT = 0.2  # seconds; a holder without power is missed after three of them
# RFC 5798, 6.1: a backup waits (256 - priority) / 256 of the interval longer. 10 apart are 8 ms
# apart, so that two backups do not take the VIP at the same moment.
FIRST_PRIORITY, PRIORITY_STEP = 254, 10

# HAProxy that hangs still has its connections taken by the kernel: it must say something; and it
# says 503 while it has no API server to pass anything on to.
ALIVE = f"""\
#!/bin/bash
# Written by Flotilla. Exit status 0: this host's HAProxy answers that it has an API server
# (or answers what else is given, for who waits for it).
exec 3<>/dev/tcp/127.0.0.1/{ALIVE_PORT} || exit 1
printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3
read -r -t 1 line <&3 && [[ $line == HTTP/*" ${{1:-200}} "* ]]
"""


def own_interface(ctx: Context) -> Address | None:
    """The interface with the host's own address, its network's prefix; None when not known."""
    for found in facts_here(ctx).addresses:
        if found.address == ctx.here.address:
            return found
    return None


# What makes a host let go of the VIP: at once when HAProxy's unit has ended, soon when it hangs.
_TRACKED = (
    "track_file haproxy_down {",
    f'    file "{DOWN}"',
    "    weight 0",
    "}",
    "vrrp_script haproxy_answers {",
    f'    script "{CHECK}"',
    "    interval 1",
    "    timeout 2",
    "    fall 3",
    "    rise 1",
    "}",
)


def keepalived_config(ctx: Context) -> str | None:
    """The whole of keepalived.conf for keepalived 2.1 or newer; None while no facts are known.

    Raises ValueError for a host that is no control plane, a VIP that is no
    IPv4 address or a router id outside 1 to 255 (RFC 5798, 5.2.3).
    """
    spec, here, own = ctx.spec, ctx.here, own_interface(ctx)
    if not 1 <= spec.router_id <= 255:
        raise ValueError(f"a VRRP router id is 1 to 255, not {spec.router_id}")
    vip = ipaddress.IPv4Address(spec.vip)
    place = spec.control_plane.index(here)
    if own is None:
        return None
    interface = shell.token(own.interface)
    peers = [shell.address(h.address) for h in spec.control_plane if h != here]
    return "\n".join(
        [
            "# Written by Flotilla; changes are put back by the next repair.",
            f"# cluster {spec.id:d}, VIP {vip}/{own.prefix:d} on {interface}",
            *_globals(here.name),
            *_TRACKED,
            "vrrp_instance api {",
            "    state BACKUP",
            "    nopreempt",
            f"    interface {interface}",
            f"    virtual_router_id {spec.router_id:d}",
            f"    priority {FIRST_PRIORITY - PRIORITY_STEP * place:d}",
            f"    advert_int {ADVERTISEMENT}",
            f"    unicast_src_ip {shell.address(here.address)}",
            "    unicast_peer {",
            *(f"        {peer}" for peer in peers),
            "    }",
            "    virtual_ipaddress {",
            f"        {vip}/{own.prefix:d} dev {interface}",
            "    }",
            # Three at once, three more after a second for whoever missed those, one every ten.
            "    garp_master_repeat 3",
            "    garp_master_delay 1",
            "    garp_master_refresh 10",
            "    track_file {",
            "        haproxy_down",
            "    }",
            "    track_script {",
            "        haproxy_answers",
            "    }",
            "}",
            "",
        ]
    )


def _globals(name: str) -> list[str]:
    return [
        "global_defs {",
        f"    router_id {shell.label(name)}",
        "    vrrp_version 3",
        # What comes from elsewhere than the peers below is not ours.
        "    vrrp_check_unicast_src",
        # Before everything else that wants the processor. A container has no real-time budget:
        # then keepalived says so and goes on with the Nice of its unit.
        "    vrrp_rt_priority 50",
        "    vrrp_no_swap",
        "    enable_script_security",
        "    script_user nobody",
        "}",
    ]


def keepalived_drop_in(ctx: Context) -> str | None:
    """What the distribution's unit lacks; None while no facts are known.

    A keepalived that was killed leaves the VIP on the interface while another
    host takes it: ExecStopPost takes it off, which systemd runs after a kill too.
    """
    own = own_interface(ctx)
    if own is None:
        return None
    vip = f"{ipaddress.IPv4Address(ctx.spec.vip)}/{own.prefix:d} dev {shell.token(own.interface)}"
    return "\n".join(
        (
            "# Written by Flotilla; changes are put back by the next repair.",
            "[Unit]",
            "After=haproxy.service",
            "StartLimitIntervalSec=0",
            "",
            "[Service]",
            f"Environment=FLOTILLA_CLUSTER={ctx.spec.id:d}",
            # Without HAProxy this host must not have the VIP.
            f"ExecStartPre=/bin/sh -c 'mkdir -p {RUN}; [ -e {DOWN} ] || echo 1 >{DOWN}'",
            f"ExecStopPost=/bin/sh -c 'ip address del {vip} 2>/dev/null || true'",
            "Nice=-20",
            "Restart=always",
            "RestartSec=1",
            "",
        )
    )


class Keepalived(Step):
    """The distribution's keepalived with our settings."""

    id = "keepalived"
    title = "keepalived and the VIP"
    timeout = 300

    def resources(self, ctx: Context) -> Sequence[Resource]:
        """Package, settings, a look at them by keepalived itself, unit, the wait for the VIP."""
        settings = [File(CHECK, ALIVE, 0o755), File(CONFIG, keepalived_config(ctx))]
        vip = shell.address(ctx.spec.vip)
        return [
            Package("keepalived", "/usr/sbin/keepalived"),
            *settings,
            File(DROP_IN, keepalived_drop_in(ctx)),
            # Not --config-test: that of 2.2.7 ends by a signal as soon as script_user is set.
            Probe(
                "keepalived-version",
                _("keepalived is new enough"),
                "keepalived --version 2>&1 | head -n 1; keepalived --version 2>&1"
                " | sed -n 's/^Keepalived v\\([0-9]*\\)\\.\\([0-9]*\\).*/\\1 \\2/p'"
                " | { read -r major minor && [ $((major * 100 + minor)) -ge 201 ]; }",
                _("keepalived 2.1 or newer"),
                "settings_refused",
                _("asks keepalived for its version"),
            ),
            Unit(
                "keepalived.service", restart_on=tuple(file.key for file in settings), reload=True
            ),
            Wait(
                "vip",
                _("The VIP answers"),
                # While a cluster is made no API server runs yet, and nobody takes the VIP; whether
                # the API answers through it is looked at when there is one (steps/api_ready.py).
                f"timeout 1 bash -c 'exec 3<>/dev/tcp/{vip}/{ENTRY_PORT}' || {CHECK} 503",
                30,
                _("HAProxy answers on the VIP"),
                f"ip -o -4 address; ip neigh show to {vip};"
                " journalctl -u keepalived -u haproxy -n 15 --no-pager -o cat",
                ("haproxy.service", "keepalived.service"),
            ),
        ]
