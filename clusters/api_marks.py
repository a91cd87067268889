"""Labels and taints of nodes over REST, by the rules of the page (views_nodes)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from clusters.api_errors import answered
from clusters.api_operations import EFFECT, NODE, node_or_404
from clusters.api_pools import TaintSerializer
from clusters.grammar import EFFECTS, MOST_LINES, Wrong, check_key, check_value
from clusters.kube.nodes_api import Marks, marks
from clusters.operate import connection, refuse_by_role, user_of
from clusters.views_nodes import change_marks
from console.accounts.permissions import Declared


class LabelsField(serializers.DictField):
    """Labels by key. Invalid naming what is no key or value."""

    def __init__(self, *, removable: bool = False, **kwargs: Any) -> None:
        child = serializers.CharField(allow_blank=True, allow_null=removable, max_length=253)
        super().__init__(child=child, default=dict, **kwargs)

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """{key: value}; null stands for a label that is to go."""
        found: dict[str, Any] = super().to_internal_value(data)
        _checked((key, value or "") for key, value in found.items())
        return found


class TaintKeySerializer(serializers.Serializer[Any]):
    """Which taint: there is one of a key and effect."""

    key = serializers.CharField(max_length=320)
    effect = serializers.ChoiceField(choices=EFFECTS)


class NodeTaintSerializer(TaintSerializer):
    """A taint. Invalid for what is no key or value."""

    def validate(self, attrs: dict[str, str]) -> dict[str, str]:
        """The taint as the API has it."""
        _checked([(attrs["key"], attrs["value"])])
        return {part: attrs[part] for part in ("key", "value", "effect")}


class NodeMarksSerializer(serializers.Serializer[Any]):
    """Labels and taints of a node, as GET answers them."""

    labels = LabelsField()
    taints = serializers.ListField(child=NodeTaintSerializer(), default=list, max_length=MOST_LINES)


class MarksChangeSerializer(serializers.Serializer[Any]):
    """What is to be set and removed. What is not named stays as it is."""

    labels = LabelsField(removable=True, help_text="by key; null removes the label")
    taints = serializers.ListField(
        child=NodeTaintSerializer(), default=list, max_length=MOST_LINES,
        help_text="to be set; one of the same key and effect is replaced",
    )  # fmt: skip
    remove_taints = serializers.ListField(
        child=TaintKeySerializer(), default=list, max_length=MOST_LINES
    )
    seen = NodeMarksSerializer(
        default=None, allow_null=True,
        help_text="what you looked at: 409 where somebody changed the same meanwhile",
    )  # fmt: skip

    def validate_labels(self, labels: dict[str, Any]) -> dict[str, Any]:
        """At most as many as the page takes."""
        if len(labels) > MOST_LINES:
            told = _("These are more than %(most)d labels.") % {"most": MOST_LINES}
            raise serializers.ValidationError([told])
        return labels

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Each taint is named once, and something is asked for."""
        names = [(t["key"], t["effect"]) for t in (*attrs["taints"], *attrs["remove_taints"])]
        if twice := sorted({key for key, effect in names if names.count((key, effect)) > 1}):
            told = _("“%(key)s” is there twice with this effect.") % {"key": twice[0]}
            raise serializers.ValidationError({"taints": [told]})
        if not attrs["labels"] and not names:
            told = _("Name labels or taints that are to be set or removed.")
            raise serializers.ValidationError({"labels": [told]})
        return attrs


class MarksView(APIView):
    """A node's labels and taints."""

    permission_classes = [Declared]
    permissions = {"get": "clusters.operate", "patch": "clusters.operate"}

    @extend_schema(responses=NodeMarksSerializer)
    def get(self, request: Request, pk: int, name: str) -> Response:
        """What the node has now, asked of the cluster."""
        row, user = node_or_404(request.user, pk, name), user_of(request)
        with answered():
            refuse_by_role(user, "patch", row)
            return Response(marks(connection(row.cluster, user), row.name)._asdict())

    @extend_schema(request=MarksChangeSerializer, responses={200: EFFECT, 409: OpenApiTypes.OBJECT})
    def patch(self, request: Request, pk: int, name: str) -> Response:
        """Set and remove labels and taints; the answer says what was before and is now."""
        row, user = node_or_404(request.user, pk, name), user_of(request)
        body = MarksChangeSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        data = body.validated_data
        with answered():
            refuse_by_role(user, "patch", row)
            if data["seen"]:
                seen = Marks(data["seen"]["labels"], data["seen"]["taints"])
            else:
                seen = marks(connection(row.cluster, user), row.name)
            effect = change_marks(row, seen, _wanted(seen, data), request._request)
        return Response({"before": effect.before, "after": effect.after, "created": ""})


def _wanted(seen: Marks, data: Mapping[str, Any]) -> Marks:
    """What the node is to have."""
    labels = {k: v for k, v in {**seen.labels, **data["labels"]}.items() if v is not None}
    named = {(t["key"], t["effect"]) for t in (*data["taints"], *data["remove_taints"])}
    kept = [taint for taint in seen.taints if (taint["key"], taint["effect"]) not in named]
    return Marks(labels, [*kept, *data["taints"]])


def _checked(pairs: Iterable[tuple[str, str]]) -> None:
    """Raises Invalid for the first that is no label."""
    try:
        for key, value in pairs:
            check_key(key)
            check_value(value)
    except Wrong as wrong:
        raise serializers.ValidationError([str(wrong)]) from None


urlpatterns = [path(f"{NODE}marks/", MarksView.as_view(), name="node-marks")]
