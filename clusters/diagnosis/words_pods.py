"""The causes of pods in words: (what is wrong, what to do), without the full stop of the first.

%(who)s is "container app" or "init container app" in the reader's language. What the
cluster said itself (`said`) is put behind the sentence by words().
"""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

_LOGS = _("Look at the log of the container before its last restart.")
_PULL_SECRET = _(
    "Check the image's name and tag, and give the pod's namespace a pull secret for this registry "
    "(imagePullSecrets of the pod or of its service account)."
)
_RUNTIME = _("Look at the container runtime on the node: journalctl -u containerd.")
_MEMORY = _(
    "Raise the memory limit, or let the program use less: look at its memory over the last hours."
)

IMAGES: dict[str, tuple[Any, Any]] = {
    "image_not_found": (
        _("The image %(image)s of %(who)s does not exist in the registry %(registry)s"),
        _("Check the image's name and tag; push the image if it has not been built yet."),
    ),
    "image_denied": (
        _("The registry %(registry)s does not give %(who)s the image %(image)s"),
        _PULL_SECRET,
    ),
    "image_registry_away": (
        _("The registry %(registry)s cannot be reached for the image %(image)s of %(who)s"),
        _("Check that the node reaches the registry: name resolution, proxy, firewall."),
    ),
    "image_registry_tls": (
        _("The node does not trust the registry %(registry)s for the image %(image)s of %(who)s"),
        _("Give the nodes the registry's CA, or correct its certificate."),
    ),
    "image_registry_error": (
        _("The registry %(registry)s fails with the image %(image)s of %(who)s"),
        _("Look at the registry; the node tries again by itself."),
    ),
    "image_rate_limit": (
        _("The registry %(registry)s limits how often the image %(image)s of %(who)s is pulled"),
        _("Pull with an account, or from a mirror of your own."),
    ),
    "image_name_wrong": (
        _("The image name %(image)s of %(who)s is not written as a reference must be"),
        _("Write it as registry/name:tag, in lower case."),
    ),
    "image_never_pulled": (
        _("The image %(image)s of %(who)s is not on the node, and its pull policy is Never"),
        _("Load the image onto the node, or set imagePullPolicy to IfNotPresent."),
    ),
    "image_platform": (
        _("The image %(image)s of %(who)s is not made for the node's processor"),
        _("Build it for this platform too, or keep the pod to nodes that fit (nodeSelector)."),
    ),
    "image_no_space": (
        _("There is no space on the node for the image %(image)s of %(who)s"),
        _("Free space on the node's disk, or give it a larger one."),
    ),
    "image_not_pulled": (
        _("The image %(image)s of %(who)s cannot be pulled from %(registry)s"),
        _("Look at the pod's events: they say what the registry answered."),
    ),
}

STARTS: dict[str, tuple[Any, Any]] = {
    "config_missing": (
        _("The %(what)s %(name)s that the pod needs does not exist in its namespace"),
        _("Create it, or correct its name in the pod's template."),
    ),
    "config_key_missing": (
        _("The %(what)s %(name)s has no key %(key)s, which the pod needs"),
        _("Add the key, or correct its name in the pod's template."),
    ),
    "config_volume_key_missing": (
        _("The %(what)s of volume %(volume)s has no key %(key)s, which the pod needs"),
        _("Add the key, or correct its name in the pod's template."),
    ),
    "config_refused": (
        _("%(who)s cannot be configured"),
        _("Correct the pod's template; the kubelet tries again by itself."),
    ),
    "service_account_missing": (
        _("The service account %(name)s does not exist in the namespace"),
        _("Create it, or correct serviceAccountName in the pod's template."),
    ),
    "command_not_found": (
        _("%(who)s has no program %(command)s in its image"),
        _("Correct the command in the pod's template, or the image."),
    ),
    "command_not_allowed": (
        _("%(who)s may not run %(command)s: its file is not executable for the container's user"),
        _("Make the file executable in the image, or run as a user who may."),
    ),
    "command_format": (
        _("The program %(command)s of %(who)s is not made for the node's processor"),
        _("Use an image for this platform; a script needs its first line (#!/bin/sh)."),
    ),
    "command_not_given": (
        _("Neither the image nor the pod says what %(who)s is to run"),
        _("Give the container a command."),
    ),
    "run_as_root": (
        _("%(who)s would run as root, and the pod forbids it (runAsNonRoot)"),
        _("Set runAsUser to a number other than 0, or build the image with a numeric USER."),
    ),
    "start_mount": (
        _("%(path)s cannot be mounted in %(who)s"),
        _("Check mountPath and subPath: a folder cannot be mounted on a file."),
    ),
    "sub_path": (
        _("The subPath of a volume of %(who)s cannot be prepared"),
        _("Check that the path exists in the volume and may be written."),
    ),
    "work_folder": (
        _("The working folder %(path)s of %(who)s cannot be used"),
        _("Correct workingDir, or the rights of the folder in the image."),
    ),
    "start_slow": (
        _("The container runtime does not get %(who)s made in time"),
        _("Look at the node's disk and load, and at its container runtime."),
    ),
    "start_hook": (
        _("A hook of %(who)s fails (%(hook)s)"),
        _("Correct the hook in the pod's template."),
    ),
    "start_failed": (_("%(who)s cannot be started"), _RUNTIME),
}

CRASHES: dict[str, tuple[Any, Any]] = {
    "oom_killed": (
        _("%(who)s was ended because it used more memory than its limit of %(limit)s"),
        _MEMORY,
    ),
    "oom_node": (
        _("%(who)s was ended because memory ran out; it has no memory limit of its own"),
        _("Give it a memory request and limit, and look at the memory of its node."),
    ),
    "crash": (_("%(who)s ends again and again with %(ending)s"), _LOGS),
    "crash_unknown": (_("%(who)s ends again and again"), _LOGS),
    "ended_badly": (
        _("%(who)s ended with %(ending)s"),
        _("Look at the container's log."),
    ),
    "ends_by_itself": (
        _("%(who)s ends by itself without an error, and is started again each time"),
        _("A program of a Deployment must go on running; use a Job for work that ends."),
    ),
    "end_unknown": (
        _("How %(who)s ended is not known: its node lost it"),
        _("Look at the node's events around that time."),
    ),
    "init_slow": (
        _(
            "Init container %(container)s (%(number)s of %(inits)s) has been running for "
            "%(minutes)s minutes, and the pod waits for it"
        ),
        _("Look at its log: it usually waits for another service."),
    ),
    "slow_start": (
        _("The pod has been starting for %(minutes)s minutes and says no reason"),
        _("Look at its events and at the kubelet of its node."),
    ),
    "pod_failed": (_("The pod has failed"), _("Look at its events and logs.")),
    "pod_deadline": (
        _("The pod ran longer than it may (activeDeadlineSeconds)"),
        _("Raise the deadline, or find out what took so long."),
    ),
}

PROBES: dict[str, tuple[Any, Any]] = {
    "not_ready": (
        _("%(who)s runs and has not passed its %(probe_kind)s probe (%(probe)s)"),
        _("Look at the container's log, and whether path and port of the probe are right."),
    ),
    "readiness_gate": (
        _("The pod waits for a readiness gate that somebody else has to open"),
        _("Look at the controller that sets this condition."),
    ),
    "probe_readiness": (
        _("%(who)s fails its readiness probe%(probe_shown)s and gets no requests"),
        _("Look at the container's log, and whether path and port of the probe are right."),
    ),
    "probe_liveness": (
        _("%(who)s fails its liveness probe%(probe_shown)s and is restarted for it"),
        _("Look at its log; give the probe more time if the program only starts slowly."),
    ),
    "probe_startup": (
        _("%(who)s fails its startup probe%(probe_shown)s and is restarted for it"),
        _("Raise failureThreshold if it starts slowly; otherwise look at its log."),
    ),
}

SCHEDULING: dict[str, tuple[Any, Any]] = {
    "unschedulable": (
        _("No node takes this pod"),
        _("Change what the pod asks for, or add a node that has it."),
    ),
    "unschedulable_words": (
        _("The scheduler finds no node for this pod"),
        _("Look at the pod's events."),
    ),
    "no_nodes": (_("The cluster has no node that could take the pod"), _("Add nodes.")),
    "scheduling_gated": (
        _("The pod waits until its scheduling gates are taken away"),
        _("Look at the controller that set them."),
    ),
    "claim_missing": (
        _("The claim %(claim)s that the pod mounts does not exist"),
        _("Create the claim, or correct its name in the pod's template."),
    ),
    "claim_unbound": (
        _("The pod waits for a volume: its claim %(claims)s is not bound"),
        _("Look at the claim: it says why."),
    ),
}

LIVES: dict[str, tuple[Any, Any]] = {
    "evicted_low": (
        _("Node %(node)s ran short of %(resource)s and evicted the pod%(figures)s"),
        _("Set requests that match what the pod uses, and look at the node's disk and memory."),
    ),
    "evicted_over_limit": (
        _("The pod was evicted: it wrote more than its limit of %(limit)s%(where)s"),
        _("Raise the limit, or let the program write less."),
    ),
    "evicted": (_("Node %(node)s evicted the pod"), _("Look at the node's conditions.")),
    "preempted": (
        _("The pod had to make room on node %(node)s for one of higher priority"),
        _("Add capacity, or give the pod a priority class of its own."),
    ),
    "node_lost": (
        _("Node %(node)s that ran the pod is gone"),
        _("If the node does not come back, delete it: its pods are made again elsewhere."),
    ),
    "node_shutdown": (
        _("Node %(node)s was shut down and ended the pod"),
        _("Its controller makes it again; a pod without one has to be created anew."),
    ),
    "node_out_of": (
        _("Node %(node)s had too little %(what)s left and refused the pod"),
        _("Delete the pod: it is made again where there is room."),
    ),
    "node_affinity": (
        _("The labels of node %(node)s no longer fit the pod's affinity"),
        _("Give the node its labels back, or delete the pod so that it goes elsewhere."),
    ),
    "node_topology": (
        _("Node %(node)s cannot give the pod processors and memory of one place"),
        _("Look at the kubelet's topology manager policy."),
    ),
    "node_ports": (
        _("A port that the pod needs of node %(node)s is taken"),
        _("Use no host port, or one that is free."),
    ),
    "node_refused": (_("Node %(node)s refused the pod"), _("Look at the pod's events.")),
    "pod_finalizers": (
        _("The pod should have been gone %(minutes)s minutes ago and waits for %(finalizers)s"),
        _("Look at the controller that set these finalizers; it has to take them away."),
    ),
    "pod_kill_failed": (
        _("Node %(node)s has not got the pod to end for %(minutes)s minutes"),
        _("Look at kubelet and container runtime on the node."),
    ),
    "pod_node_away": (
        _("The pod should have been gone %(minutes)s minutes ago; node %(node)s does not answer"),
        _("Bring the node back. If it is off for good, delete the node."),
    ),
    "pod_on_away_node": (
        _("Node %(node)s that runs the pod is not ready"),
        _("Look at the node."),
    ),
    "pod_terminating": (
        _("The pod should have been gone %(minutes)s minutes ago and still ends on node %(node)s"),
        _("Look at the node's kubelet, and whether the program takes a SIGTERM."),
    ),
}

VOLUMES: dict[str, tuple[Any, Any]] = {
    "volume_mount": (
        _("Volume %(volume)s cannot be mounted on the node"),
        _("Look at the storage behind the volume and at the driver on the node."),
    ),
    "volume_attach": (
        _("Volume %(volume)s cannot be attached to the node"),
        _("Look at the storage driver's controller."),
    ),
    "volume_multi_attach": (
        _("Volume %(volume)s is still attached to another node and may be used by one alone"),
        _("Wait until the other pod has ended; if its node is off, delete that pod or node."),
    ),
    "volume_slow": (
        _("The volumes %(volume)s are not mounted in time"),
        _("Look at the claims of the pod and at the storage driver."),
    ),
    "sandbox_network": (
        _("The network plug-in cannot connect the pod"),
        _("Look at the network plug-in's pod on the node of this pod."),
    ),
    "sandbox_addresses": (
        _("The node has no free address for the pod"),
        _("Move pods to other nodes, or give the node a larger range of pod addresses."),
    ),
    "sandbox": (_("The container runtime cannot prepare the pod"), _RUNTIME),
}

POD_WORDS: dict[str, tuple[Any, Any]] = {
    **IMAGES, **STARTS, **CRASHES, **PROBES, **SCHEDULING, **LIVES, **VOLUMES,
}  # fmt: skip
