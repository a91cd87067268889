"""What the API server lets the console do, asked of the server itself."""

from __future__ import annotations

from clusters.kube.connection import Connection

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def may(
    connection: Connection,
    verb: str,
    group: str,
    resource: str,
    subresource: str = "",
    namespace: str = "",
    timeout: float = 5.0,
) -> bool:
    """Whether the connection's own user may do that (SelfSubjectAccessReview v1).

    namespace "" asks for all of them. Raises KubeError.
    """
    attributes = {
        "verb": verb,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "namespace": namespace,
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    status = connection.post(REVIEWS, body, timeout=timeout).get("status")
    return isinstance(status, dict) and status.get("allowed") is True
