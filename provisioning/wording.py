"""The titles of phases and steps, for the translation catalogue.

Steps and recipes know nothing of Django: their titles are plain English in the
journal, and pages translate them when they show them (the filter `tr`).
tests/unit/test_translations.py finds a title that is missing here.
"""

from __future__ import annotations

from django.utils.translation import gettext_noop

TITLES = (
    gettext_noop("Rights and tokens"),
    gettext_noop("etcd is started"),
    gettext_noop("The etcd member is removed"),
    gettext_noop("etcd can spare the member"),
    gettext_noop("The cluster forgets the node"),
    gettext_noop("Take pods again"),
    gettext_noop("Drain the node"),
    gettext_noop("Drain"),
    gettext_noop("Quorum"),
    gettext_noop("Names on the other hosts"),
    gettext_noop("Control plane, one host after another"),
    gettext_noop("Load balancer"),
    gettext_noop("API"),
    gettext_noop("Add-ons"),
    gettext_noop("Certificates"),
    gettext_noop("Certificates and keys"),
    gettext_noop("Clean the hosts"),
    gettext_noop("Container runtime"),
    gettext_noop("Control plane"),
    gettext_noop("Control plane's programs"),
    gettext_noop("Network"),
    gettext_noop("Node"),
    gettext_noop("Nodes"),
    gettext_noop("Nodes' ranges and roles, add-ons"),
    gettext_noop("Pod network (routed)"),
    gettext_noop("Prepare"),
    gettext_noop("Prepare the host"),
    gettext_noop("Programs"),
    gettext_noop("Programs of the control plane"),
    gettext_noop("Programs and images"),
    gettext_noop("Prove that it works"),
    gettext_noop("Prove that nothing is left"),
    gettext_noop("Put the host back"),
    gettext_noop("Rescan"),
    gettext_noop("The API answers"),
    gettext_noop("Verify"),
    gettext_noop("etcd"),
    gettext_noop("HAProxy"),
    gettext_noop("keepalived and the VIP"),
)
