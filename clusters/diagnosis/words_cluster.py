"""The causes of workloads, nodes, storage, network and namespaces in words."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

_KUBELET = _("On the node: systemctl status kubelet; journalctl -u kubelet.")

ADMISSION: dict[str, tuple[Any, Any]] = {
    "quota_exceeded": (
        _(
            "Quota %(quota)s allows no more pods: one asks for %(resource)s %(requested)s, and "
            "%(used)s of %(limited)s are used%(others_shown)s"
        ),
        _("Ask for less, free some, or raise the quota."),
    ),
    "quota_unspecified": (
        _("Quota %(quota)s wants every container to say its %(resources)s"),
        _("Add these to the pod's template, or give the namespace a LimitRange with defaults."),
    ),
    "limit_range": (
        _(
            "The namespace's LimitRange refuses the pod: %(resource)s of each %(per)s has to be "
            "%(bound_shown)s %(limit)s, and it asks for %(requested)s"
        ),
        _("Change the pod's requests and limits, or the LimitRange."),
    ),
    "limit_range_words": (
        _("The namespace's LimitRange refuses the pod"),
        _("Change the pod's requests and limits, or the LimitRange."),
    ),
    "pod_security": (
        _("Pod Security (%(level)s) of the namespace refuses the pod"),
        _("Change the pod's securityContext as it says, or the namespace's level."),
    ),
    "pod_security_policy": (
        _("No Pod Security Policy allows the pod"),
        _("Change the pod's securityContext, or bind a policy to its service account."),
    ),
    "webhook_denied": (
        _("The webhook %(webhook)s refuses the pod"),
        _("Change what it complains of, or ask whoever runs it."),
    ),
    "webhook_away": (
        _("The webhook %(webhook)s does not answer, and without it no pod is made"),
        _("Look at the service behind the webhook; delete its configuration if it is not used."),
    ),
    "policy_denied": (
        _("The admission policy %(policy)s refuses the pod"),
        _("Change what it complains of, or the policy."),
    ),
    "priority_class_missing": (
        _("The priority class %(name)s does not exist"),
        _("Create it, or correct priorityClassName in the pod's template."),
    ),
    "namespace_ending": (
        _("The namespace is being deleted and takes no new objects"),
        _("Wait until it is gone, or use another one."),
    ),
    "create_invalid": (
        _("The API server finds the pod's template invalid"),
        _("Correct the template as it says."),
    ),
    "create_refused": (
        _("The API server refuses to create the pods"),
        _("Look at the events of the workload."),
    ),
}

WORKLOADS: dict[str, tuple[Any, Any]] = {
    "rollout_stuck": (
        _(
            "The rollout has not got on within its deadline: %(updated)s of %(desired)s pods are "
            "new, %(ready_pods)s ready"
        ),
        _("Look at the newest pods; roll back if the new version cannot run."),
    ),
    "replicas_missing": (
        _("%(ready_pods)s of %(desired)s pods are ready"),
        _("Look at the pods that are not."),
    ),
    "ordinal_waits": (
        _("Pods are made one after the other: %(waiting)s more wait until %(pod)s is ready"),
        _("Look at this pod."),
    ),
    "daemon_misscheduled": (
        _("%(number)s pods run on nodes that the DaemonSet no longer selects"),
        _("Check its node selector and tolerations, and the labels of the nodes."),
    ),
    "workload_says": (_("The workload's controller reports"), _("Look at its events.")),
    "job_backoff": (
        _("The job gave up after %(failed)s failed pods (backoffLimit)"),
        _("Look at the log of its last pod; then create the job anew."),
    ),
    "job_deadline": (
        _("The job ran longer than it may (activeDeadlineSeconds)"),
        _("Raise the deadline, or find out what took so long."),
    ),
    "job_policy": (
        _("The job ended because a pod failed in a way that its policy does not forgive"),
        _("Look at the log of its last pod."),
    ),
    "job_indexes": (
        _("The job failed: %(failed)s pods of its indexes failed too often"),
        _("Look at the logs of the failed indexes."),
    ),
    "job_failed": (_("The job failed"), _("Look at the log of its last pod.")),
    "cron_suspended": (
        _("The schedule is suspended: no job is started"),
        _("Resume it when jobs are to run again."),
    ),
    "cron_too_many_missed": (
        _("More than 100 starts were missed, and the controller has given up the schedule"),
        _("Set startingDeadlineSeconds; check the clocks of the control plane."),
    ),
    "cron_missed": (
        _("A start was missed"),
        _("Raise startingDeadlineSeconds, or look at the controller manager."),
    ),
    "cron_schedule": (
        _("The controller cannot read the schedule"),
        _("Correct the schedule and its time zone."),
    ),
}

NODES: dict[str, tuple[Any, Any]] = {
    "node_away": (
        _("The kubelet has not reported since %(since_shown)s: the node is off or cut off"),
        _("Look at its power and network, then at its kubelet: systemctl status kubelet."),
    ),
    "node_never_reported": (
        _("The kubelet has never reported"),
        _KUBELET,
    ),
    "node_network_plugin": (
        _("The node's network plug-in is not ready"),
        _("Install a network plug-in, or look at its pod on this node."),
    ),
    "node_runtime": (
        _("The node's container runtime does not answer"),
        _("On the node: systemctl status containerd; journalctl -u containerd."),
    ),
    "node_shutting_down": (
        _("The node is shutting down"),
        _("It comes back by itself if it is only restarted."),
    ),
    "node_starting": (_("The node is still starting"), _KUBELET),
    "node_not_ready": (_("The node is not ready"), _KUBELET),
    "node_disk": (
        _("The node's disk is nearly full: it takes no new pods and evicts those it has"),
        _("Remove images and logs that nobody needs, or give the node a larger disk."),
    ),
    "node_memory": (
        _("The node's memory is nearly used up: it evicts pods"),
        _("Give pods memory requests that match what they use, or add a node."),
    ),
    "node_pids": (
        _("The node has nearly no process numbers left"),
        _("Find the pod that starts so many processes; limit it by podPidsLimit."),
    ),
    "node_no_network": (
        _("The node's network is not set up"),
        _("Look at the network plug-in or the cloud's route controller."),
    ),
    "node_problem": (_("The node reports %(problem)s"), _("Look at the node's conditions.")),
    "node_oom": (
        _("The node's memory ran out and the kernel ended a process"),
        _("Give pods memory limits, and reserve memory for the system."),
    ),
    "node_disk_full": (
        _("The kubelet cannot free enough of the node's disk"),
        _("Remove what is not Kubernetes' own, or give the node a larger disk."),
    ),
    "node_cordoned": (
        _("The node is cordoned: it takes no new pods"),
        _("Uncordon it when its maintenance is over."),
    ),
    "node_too_old": (
        _("The kubelet %(version)s is too old for the API server %(server)s"),
        _("Upgrade the node."),
    ),
    "node_too_new": (
        _("The kubelet %(version)s is newer than the API server %(server)s"),
        _("Upgrade the control plane, or set the node back."),
    ),
}

STORAGE: dict[str, tuple[Any, Any]] = {
    "claim_no_class": (
        _("No volume fits the claim%(asked_shown)s, and it names no storage class to make one"),
        _("Set storageClassName, make one class the default, or create a fitting volume."),
    ),
    "claim_class_missing": (
        _("The storage class %(class_name)s does not exist"),
        _("Create it, or give the claim another class."),
    ),
    "claim_pending": (
        _("No volume has been made for the claim%(asked_shown)s by class %(class_name)s yet"),
        _("Look at the claim's events and at the provisioner of its class."),
    ),
    "claim_provisioner": (
        _("The provisioner %(provisioner)s has not made the volume yet"),
        _("Look whether the provisioner runs; without one nothing makes volumes of this class."),
    ),
    "claim_failed": (
        _("The volume cannot be made by class %(class_name)s"),
        _("Look at the log of the provisioner of this class."),
    ),
    "claim_mismatch": (
        _("The volume that the claim asks for does not fit it"),
        _("Compare size, access modes and class of both."),
    ),
    "claim_waits_for_pod": (
        _("The volume is made when the first pod uses the claim, as class %(class_name)s wants"),
        _("Nothing: this is normal."),
    ),
    "claim_lost": (
        _("The volume %(volume)s of the claim is gone, and what was on it"),
        _("Restore from a backup into a new claim."),
    ),
    "claim_resize": (
        _("The volume cannot be made larger"),
        _("Look at the storage driver's resizer."),
    ),
    "volume_failed": (
        _("The volume of %(claim)s could not be cleaned up after its claim was deleted"),
        _("Remove what is behind it in the storage by hand, then delete the volume."),
    ),
    "volume_released": (
        _("The claim %(claim)s is gone; the volume keeps its data (Retain)"),
        _("Delete the volume when the data are no longer needed."),
    ),
}

OTHERS: dict[str, tuple[Any, Any]] = {
    "service_no_pod": (
        _("The service leads nowhere: no pod has the labels %(selector)s"),
        _("Compare the service's selector with the labels of the pods."),
    ),
    "service_no_ready_pod": (
        _("The service leads nowhere: none of its %(pods)s pods (%(selector)s) is ready"),
        _("Look at these pods."),
    ),
    "ingress_no_service": (
        _("The ingress leads to services that do not exist: %(services)s"),
        _("Create them, or correct the rules."),
    ),
    "namespace_discovery": (
        _("The namespace cannot end: an API that is registered does not answer"),
        _("Look at the APIServices that are not available; remove those that nobody serves."),
    ),
    "namespace_content_failure": (
        _("The namespace cannot end: some of its objects cannot be deleted"),
        _("Look at what the API server says; often a webhook does not answer."),
    ),
    "namespace_finalizers": (
        _("The namespace waits for finalizers: %(finalizers)s%(contents_shown)s"),
        _("Look at the controllers that set them; they have to take them away."),
    ),
    "namespace_content": (
        _("The namespace waits until its objects are gone%(contents_shown)s"),
        _("Look at these objects."),
    ),
    "custom_not_ready": (
        _("Its condition %(condition)s is False"),
        _("Look at the controller of this kind."),
    ),
}

CLUSTER_WORDS: dict[str, tuple[Any, Any]] = {
    **ADMISSION, **WORKLOADS, **NODES, **STORAGE, **OTHERS,
}  # fmt: skip
