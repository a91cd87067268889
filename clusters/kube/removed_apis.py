"""Which API versions Kubernetes stops serving in which minor.

Source: "Deprecated API Migration Guide" (kubernetes.io/docs/reference/using-api/deprecation-guide),
from 1.22 on; older removals lie before the oldest version that this console serves.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RemovedApi:
    """A resource in a version that 1.<minor> serves no more.

    instead: the group and version to use, one that the minor before serves
    already, empty when there is none. kept:
    whether its objects stay, so that they can be listed (a review is answered
    and forgotten, an event lives for an hour). sole: no other version of the
    resource is in the same group, so the controller manager's garbage collector
    watches it in every cluster, and a request for it says nothing of anybody else.
    """

    minor: int
    group: str
    version: str
    resource: str
    instead: str
    kept: bool = True
    sole: bool = False

    @property
    def group_version(self) -> str:
        """Such as "networking.k8s.io/v1beta1": what apiVersion says in a manifest."""
        return f"{self.group}/{self.version}"


def _rows(
    minor: int, group_version: str, resources: str, instead: str, *, kept: bool = True
) -> tuple[RemovedApi, ...]:
    group, _slash, version = group_version.partition("/")
    return tuple(
        RemovedApi(minor, group, version, name.rstrip("!"), instead, kept, name.endswith("!"))
        for name in resources.split()
    )


_FLOW = "flowcontrol.apiserver.k8s.io"
_FLOWS = "flowschemas prioritylevelconfigurations"

# A "!" after a resource means: sole.
REMOVED: tuple[RemovedApi, ...] = (
    *_rows(
        22,
        "admissionregistration.k8s.io/v1beta1",
        "mutatingwebhookconfigurations validatingwebhookconfigurations",
        "admissionregistration.k8s.io/v1",
    ),
    *_rows(
        22, "apiextensions.k8s.io/v1beta1", "customresourcedefinitions", "apiextensions.k8s.io/v1"
    ),
    *_rows(22, "apiregistration.k8s.io/v1beta1", "apiservices", "apiregistration.k8s.io/v1"),
    *_rows(
        22,
        "authentication.k8s.io/v1beta1",
        "tokenreviews",
        "authentication.k8s.io/v1",
        kept=False,
    ),
    *_rows(
        22,
        "authorization.k8s.io/v1beta1",
        "localsubjectaccessreviews selfsubjectaccessreviews subjectaccessreviews "
        "selfsubjectrulesreviews",
        "authorization.k8s.io/v1",
        kept=False,
    ),
    *_rows(
        22, "certificates.k8s.io/v1beta1", "certificatesigningrequests", "certificates.k8s.io/v1"
    ),
    *_rows(22, "coordination.k8s.io/v1beta1", "leases", "coordination.k8s.io/v1"),
    *_rows(22, "extensions/v1beta1", "ingresses!", "networking.k8s.io/v1"),
    *_rows(22, "networking.k8s.io/v1beta1", "ingresses ingressclasses", "networking.k8s.io/v1"),
    *_rows(
        22,
        "rbac.authorization.k8s.io/v1beta1",
        "clusterroles clusterrolebindings roles rolebindings",
        "rbac.authorization.k8s.io/v1",
    ),
    *_rows(22, "scheduling.k8s.io/v1beta1", "priorityclasses", "scheduling.k8s.io/v1"),
    *_rows(
        22,
        "storage.k8s.io/v1beta1",
        "csidrivers csinodes storageclasses volumeattachments",
        "storage.k8s.io/v1",
    ),
    *_rows(25, "batch/v1beta1", "cronjobs", "batch/v1"),
    *_rows(25, "discovery.k8s.io/v1beta1", "endpointslices", "discovery.k8s.io/v1"),
    *_rows(25, "events.k8s.io/v1beta1", "events", "events.k8s.io/v1", kept=False),
    *_rows(25, "autoscaling/v2beta1", "horizontalpodautoscalers", "autoscaling/v2"),
    *_rows(25, "policy/v1beta1", "poddisruptionbudgets", "policy/v1"),
    *_rows(25, "policy/v1beta1", "podsecuritypolicies!", ""),
    *_rows(25, "node.k8s.io/v1beta1", "runtimeclasses", "node.k8s.io/v1"),
    *_rows(26, f"{_FLOW}/v1beta1", _FLOWS, f"{_FLOW}/v1beta2"),
    *_rows(26, "autoscaling/v2beta2", "horizontalpodautoscalers", "autoscaling/v2"),
    *_rows(27, "storage.k8s.io/v1beta1", "csistoragecapacities", "storage.k8s.io/v1"),
    *_rows(29, f"{_FLOW}/v1beta2", _FLOWS, f"{_FLOW}/v1beta3"),
    *_rows(32, f"{_FLOW}/v1beta3", _FLOWS, f"{_FLOW}/v1"),
)
