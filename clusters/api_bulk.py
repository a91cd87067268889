"""One action on several objects over REST, with a result for each; the page's calls (several)."""

from __future__ import annotations

from typing import Any

from django.shortcuts import get_object_or_404
from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.api_errors import answered, status_of
from clusters.kube.workloads_api import MOST_REPLICAS
from clusters.operate import user_of
from clusters.rights import reachable_clusters
from clusters.several import ACTIONS, MOST, Result, chosen, run
from console.accounts.permissions import Declared


class BulkSerializer(serializers.Serializer[Any]):
    """What is to be done, to which objects."""

    action = serializers.ChoiceField(choices=ACTIONS)
    objects = serializers.ListField(
        child=serializers.CharField(max_length=400), allow_empty=False, max_length=MOST,
        help_text="<resource>/<namespace>/<name>, with - for no namespace",
    )  # fmt: skip
    replicas = serializers.IntegerField(
        default=None, allow_null=True, min_value=0, max_value=MOST_REPLICAS, help_text="for scale"
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Invalid where scale is not told how far."""
        if attrs["action"] == "scale" and attrs["replicas"] is None:
            raise serializers.ValidationError({"replicas": [_("Say how many replicas.")]})
        return attrs


class BulkResultSerializer(serializers.Serializer[Any]):
    """One object's result; status and error are those of the same action on it alone."""

    object = serializers.CharField(help_text="as it was named in the request")
    status = serializers.IntegerField(help_text="200, 403, 404, 409 …")
    error = serializers.CharField(help_text="empty when it went well")


class BulkResultsSerializer(serializers.Serializer[Any]):
    """Each object's result, in the order of the request."""

    failed = serializers.IntegerField()
    results = BulkResultSerializer(many=True)


class BulkView(APIView):
    """One action on several objects."""

    permission_classes = [Declared]
    permissions = {"post": "clusters.operate"}
    in_namespaces = ("post",)

    @extend_schema(request=BulkSerializer, responses=BulkResultsSerializer)
    def post(self, request: Request, pk: int) -> Response:
        """Do it to each, within ten seconds for all; 200 also where some did not go well."""
        cluster = get_object_or_404(reachable_clusters(request.user), pk=pk)
        body = BulkSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        rows = chosen(user_of(request), cluster, list(dict.fromkeys(data["objects"])))
        with answered():
            results = run(
                cluster, data["action"], rows, replicas=data["replicas"], request=request._request
            )
        found = [
            {
                "object": word,
                "status": _status(result),
                "error": str(result.error or ""),
            }
            for (word, row), result in zip(rows, results, strict=True)
        ]
        failed = sum(result.error is not None for result in results)
        return Response(BulkResultsSerializer({"failed": failed, "results": found}).data)


def _status(result: Result) -> int:
    if result.error is None:
        return status.HTTP_200_OK
    return status.HTTP_404_NOT_FOUND if result.row is None else status_of(result.error)


urlpatterns = [path("clusters/<int:pk>/bulk/", BulkView.as_view(), name="cluster-bulk")]
