"""The problems of a control plane in words: what is wrong, and what to do. By code, translated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

_LOOK_AT = _("On %(member)s: systemctl status %(unit)s; journalctl -u %(unit)s.")
_BY_ITSELF = _(
    "It comes back by itself when the host does: look at its power and network. If it is gone "
    "for good, replace it."
)
_RESTORE = _("Bring hosts with etcd back; if they are gone for good, restore a snapshot.")

WORDS: dict[str, tuple[Any, Any]] = {
    "all_away": (
        _("No control plane answers the console."),
        _("Check that the hosts are up and that the console reaches their network."),
    ),
    "vip_down": (
        _("The virtual IP %(vip)s is down, %(up)s of %(all)s API servers are up."),
        _("Look at HAProxy on the host that holds the address: systemctl status haproxy."),
    ),
    "vip_unheld": (
        _("Nobody holds the virtual IP %(vip)s; %(up)s of %(all)s API servers are up."),
        _("Look at keepalived on the control planes: systemctl status keepalived haproxy."),
    ),
    "vip_not_ready": (
        _("No API server behind the virtual IP %(vip)s is ready."),
        _("Look at the API servers and at what HAProxy sees of them, below."),
    ),
    "vip_stranger": (
        _("Who answers at the virtual IP %(vip)s has a certificate that is not this cluster's."),
        _(
            "Another machine may use the address: look at its ARP entry. Otherwise renew the "
            "cluster's certificates."
        ),
    ),
    "vip_client_refused": (
        _("The virtual IP %(vip)s refuses the console's client certificate."),
        _("Renew the cluster's certificates; check the clocks of console and hosts."),
    ),
    "holder_unknown": (
        _("Who holds the virtual IP is not known: HAProxy's port 8444 does not tell."),
        _("A repair of the cluster writes HAProxy's configuration again."),
    ),
    "holder_foreign": (
        _("%(holder)s holds the virtual IP, and is no control plane of this cluster."),
        _("Stop keepalived there; it was left behind when the host was removed."),
    ),
    "member_coming": (
        _("%(member)s is not up yet."),
        _("A task of this cluster is running."),
    ),
    "member_away": (_("%(member)s does not answer at all."), _BY_ITSELF),
    "member_gone": (
        _("%(member)s has not answered for more than %(minutes)s minutes."),
        _("If its host does not come back, replace it: the cluster has less to spare until then."),
    ),
    "stranger": (
        _("%(part)s of %(member)s shows a certificate that is not this cluster's."),
        _(
            "Somebody else may answer at its address, or its certificate has expired: renew the "
            "cluster's certificates."
        ),
    ),
    "client_refused": (
        _("%(part)s of %(member)s refuses the console's client certificate."),
        _("Renew the cluster's certificates; check the clocks of console and hosts."),
    ),
    "api_down": (_("The API server of %(member)s is down."), _LOOK_AT),
    "api_not_ready": (
        _("The API server of %(member)s is not ready (%(status)s). Failing checks: %(failing)s."),
        _LOOK_AT,
    ),
    "proxy_down": (_("HAProxy of %(member)s is down."), _LOOK_AT),
    "proxy_blocked": (
        _("HAProxy of %(member)s runs and passes nothing on to an API server."),
        _LOOK_AT,
    ),
    "back_end_unseen": (
        _("HAProxy of %(member)s sees the API server of %(server)s down (%(check)s)."),
        _("The console reaches it: look at the network between the two hosts."),
    ),
    "etcd_down": (_("etcd of %(member)s is down."), _LOOK_AT),
    "etcd_odd": (_("etcd of %(member)s answers with an error (%(status)s)."), _LOOK_AT),
    "etcd_not_started": (
        _("etcd of %(member)s is a member and has never started."),
        _LOOK_AT,
    ),
    "etcd_not_listed": (
        _("etcd of %(member)s is no member of the cluster's etcd."),
        _("Repair the cluster, or replace this control plane."),
    ),
    "etcd_other_cluster": (
        _("etcd of %(member)s belongs to another etcd cluster."),
        _("Its data are not this cluster's: replace this control plane."),
    ),
    "etcd_no_leader": (
        _("etcd of %(member)s has no leader."),
        _("It reaches too few of the others: look at the network and at the other members."),
    ),
    "etcd_learner": (
        _("etcd of %(member)s is a learner: it does not vote yet."),
        _("It is promoted once it has caught up; if it stays, repair the cluster."),
    ),
    "etcd_nospace": (
        _("etcd of %(member)s is out of space: the cluster takes no more writes."),
        _("Compact and defragment etcd, then disarm the alarm; look at the disk of its host."),
    ),
    "etcd_corrupt": (
        _("etcd of %(member)s says that its data are corrupt."),
        _("Replace this control plane: it then copies the data of the others."),
    ),
    "etcd_error": (_("etcd of %(member)s reports: %(error)s"), _LOOK_AT),
    "etcd_extra": (
        _("etcd has a member %(extra)s that is no control plane of this cluster."),
        _("It counts for the quorum. Remove it: etcdctl member remove."),
    ),
    "etcd_no_certificate": (
        _("The console cannot look at etcd: it has no certificate for it."),
        _("A repair of the cluster makes one."),
    ),
    "quorum_lost": (
        _("etcd has lost its quorum: %(healthy)s of %(voters)s members are up, %(needed)s needed."),
        _RESTORE,
    ),
    "quorum_edge": (
        _("%(healthy)s of %(voters)s etcd members are up: one more failure stops the cluster."),
        _("Bring the missing member back, or replace it."),
    ),
    "quorum_even": (
        _("etcd has %(voters)s voting members: an even number survives no more failures."),
        _("Add or remove a control plane."),
    ),
    "lease_stale": (
        _("%(name)s has no leader: %(holder)s no longer renews its lease."),
        _("Look at %(name)s on the control planes: systemctl status %(name)s."),
    ),
}


def words(code: str, values: Mapping[str, Any]) -> tuple[str, str]:
    """(what, mend) of a problem in the language of the reader."""
    what, mend = WORDS[code]
    return str(what) % values, str(mend) % values
