"""The feed over REST: what was told, and what has been read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.models import User
from console.accounts.permissions import SIGNED_IN
from console.notices import api_channels
from console.notices.catalogue import sentence
from console.notices.filters import NoticeFilter
from console.notices.models import Notice
from console.notices.reading import mark_read, visible_notices, with_read

MOST_IDS = 500


class NoticeSerializer(serializers.ModelSerializer[Notice]):
    """A notice; text is in the language of the request."""

    text = serializers.SerializerMethodField()
    over_text = serializers.SerializerMethodField()
    unread = serializers.BooleanField()

    class Meta:
        model = Notice
        fields = (
            "id", "kind", "severity", "text", "over_text", "cluster", "subject_type",
            "subject_id", "subject_name", "values", "link", "occurred", "resolved", "count",
            "unread",
        )  # fmt: skip
        read_only_fields = fields

    def get_text(self, notice: Notice) -> str:
        """What happened."""
        return sentence(notice.kind, notice.values)

    def get_over_text(self, notice: Notice) -> str:
        """That it is over; empty while it is not."""
        return sentence(notice.kind, notice.values, over=True) if notice.resolved else ""


class ReadSerializer(serializers.Serializer[Any]):
    """Give `ids`, or `all` for everything that is there now."""

    ids = serializers.ListField(
        child=serializers.IntegerField(min_value=1), required=False, max_length=MOST_IDS
    )
    all = serializers.BooleanField(required=False, default=False)

    def validate(self, attrs: Any) -> Any:
        """One of the two."""
        if bool(attrs.get("ids")) == attrs["all"]:
            raise serializers.ValidationError("Give either ids or all.")
        return attrs


class NoticeViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Notice]
):
    """What the console tells, newest first."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": SIGNED_IN,
        "retrieve": SIGNED_IN,
        "read": SIGNED_IN,
    }
    queryset = Notice.objects.all()
    serializer_class = NoticeSerializer
    filterset_class = NoticeFilter
    lookup_value_regex = "[0-9]+"

    def get_queryset(self) -> QuerySet[Notice]:
        """What the user may see."""
        user = self.request.user
        if not isinstance(user, User):
            return Notice.objects.none()
        return with_read(visible_notices(user), user)

    @extend_schema(request=ReadSerializer, responses={204: None})
    @action(detail=False, methods=["post"], filterset_class=None)
    def read(self, request: Request) -> Response:
        """Mark notices as read."""
        wanted = ReadSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        ids = None if wanted.validated_data["all"] else wanted.validated_data["ids"]
        mark_read(cast(User, request.user), ids)
        return Response(status=status.HTTP_204_NO_CONTENT)


def register(router: BaseRouter) -> None:
    """Add notices/, notice-channels/ and notice-rules/ to the API."""
    router.register("notices", NoticeViewSet, "notice")
    api_channels.register(router)
