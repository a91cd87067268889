"""A pod's log over REST, as text."""

from __future__ import annotations

import itertools
import json
from collections.abc import AsyncIterator
from typing import Any, cast

from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from clusters import pod_audit
from clusters.consumers_logs import RETRY_SECONDS, busy, streams
from clusters.kube import AccessRefused, CredentialsMissing, KubeError, NotFound
from clusters.kube.logs import LogStream
from clusters.log_options import BadOption, options_of
from clusters.operate import NotAllowed, doer
from clusters.rights import object_or_404
from clusters.slots import Place
from console.accounts.models import User
from console.live.handover import on_own_thread

SECONDS = 60.0


class LogRenderer(BaseRenderer):
    """Text as containers wrote it; errors stay JSON."""

    media_type = "text/plain"
    format = "txt"
    charset = "utf-8"

    def render(self, data: Any, *_context: Any) -> bytes:
        """A problem: logs are streamed past the renderers."""
        return json.dumps(data, default=str).encode()


class ClusterAway(exceptions.APIException):
    """The cluster gives no log: it is away, or answers something else."""

    status_code = 502
    default_code = "cluster_away"


class NoCredentials(exceptions.APIException):
    """The console cannot sign in to the cluster (yet)."""

    status_code = 409
    default_code = "no_credentials"


class TooMany(exceptions.APIException):
    """This process, or this person, follows as many logs as it may."""

    status_code = 429
    default_code = "too_many"
    wait = RETRY_SECONDS  # becomes Retry-After


class PodLogView(APIView):
    """clusters/{id}/pods/{namespace}/{name}/log/"""

    permissions = {"get": "clusters.logs"}
    in_namespaces = ("get",)
    renderer_classes = [LogRenderer, JSONRenderer]

    @extend_schema(
        operation_id="clusters_pods_log",
        parameters=[
            OpenApiParameter("container", str, description="needed where the pod has several"),
            OpenApiParameter("previous", bool, description="of the container before its restart"),
            OpenApiParameter("tail", int, description="lines from the end, 20,000 at most"),
            OpenApiParameter("since", int, description="seconds back from now"),
            OpenApiParameter("timestamps", bool, description="when each line was written"),
        ],
        responses={(200, "text/plain"): OpenApiTypes.STR},
    )
    def get(self, request: Request, pk: int, namespace: str, name: str) -> HttpResponseBase:
        """The log of one container as text, as it is now. Without tail and since: 500 lines."""
        row = object_or_404(request.user, pk, "pods", namespace, name)
        user, parameters = cast(User, request.user), request.query_params.dict()
        try:
            options = options_of(parameters)
        except BadOption as bad:
            raise exceptions.ValidationError({bad.name: [bad.problem]}) from None
        place = streams.hold(user.pk)
        if place is None:
            raise TooMany(" ".join(busy(user.pk)))
        try:
            asked = doer(row, user, "clusters.logs")
            stamps = parameters.get("timestamps", "") in ("1", "true")
            query = options.query(options.container, timestamps=stamps)
            stream = LogStream(asked, row.namespace, row.name, query, SECONDS)
            # The first part before the answer's head: only then is its status known.
            parts = stream.parts()
            first = next(parts, b"")
        except KubeError as error:
            place.give()
            pod_audit.recorded(
                "pod.logs_read", user, row.cluster, pod_audit.place(row), request=request,
                after=pod_audit.asked(parameters), reason=error.cause, failed=True,
            )  # fmt: skip
            raise _refusal(error) from None
        pod_audit.recorded(
            "pod.logs_read", user, row.cluster, pod_audit.place(row), request=request,
            after=pod_audit.asked(parameters),
        )  # fmt: skip
        body = _streamed(stream, itertools.chain([first], parts), place)
        return StreamingHttpResponse(body, content_type="text/plain; charset=utf-8")


async def _streamed(stream: LogStream, parts: Any, place: Place) -> AsyncIterator[bytes]:
    try:
        while part := await on_own_thread(next, parts, b""):
            yield part
    except KubeError as error:
        yield f"\n# {error}\n".encode()
    finally:
        stream.stop()
        place.give()


def _refusal(error: KubeError) -> exceptions.APIException:
    detail = f"{error.cause} {error.mend}".strip()
    if isinstance(error, NotFound):
        return exceptions.NotFound(detail)
    if isinstance(error, (AccessRefused, NotAllowed)):
        return exceptions.PermissionDenied(detail)
    if error.status == 400:
        return exceptions.ValidationError({"container": [detail]})
    return NoCredentials(detail) if isinstance(error, CredentialsMissing) else ClusterAway(detail)
