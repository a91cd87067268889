"""/api/v1/audit-streams/. A signing secret is in the answer that makes it alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db import IntegrityError
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.audit.models import Stream, StreamKind
from console.audit.streams import actions, lag
from console.audit.streams.forms import STARTS, StreamForm
from console.notices.api_channels import SecretSerializer
from console.ui.api_problems import Conflict, form_body, form_problem


class StreamSerializer(serializers.ModelSerializer[Stream]):
    """A stream, without its secret, and how far its receiver is behind."""

    address = serializers.SerializerMethodField()
    lag = serializers.SerializerMethodField()

    class Meta:
        model = Stream
        fields = (
            "id", "name", "kind", "address", "ca", "paused", "created", "position", "checkpoint",
            "last_success", "last_error", "failures", "next_try", "lag",
        )  # fmt: skip
        read_only_fields = fields

    def get_address(self, stream: Stream) -> str:
        """Without the path of a webhook, which often is a password."""
        return actions.shown_address(stream)

    def get_lag(self, stream: Stream) -> dict[str, int]:
        """events: not confirmed yet; seconds: how old the oldest of them is."""
        found = lag.lag(stream)
        return {"events": found.events, "seconds": found.seconds}


class MadeStreamSerializer(StreamSerializer):
    """A stream that was just made, with its signing secret: keep it, it is not shown again."""

    secret = serializers.CharField()

    class Meta:
        model = Stream
        fields = (*StreamSerializer.Meta.fields, "secret")
        read_only_fields = fields


class StreamInputSerializer(serializers.Serializer[Any]):
    """start: when it is made. position: an earlier one, to send again from there."""

    name = serializers.CharField(max_length=80)
    kind = serializers.ChoiceField(choices=StreamKind.choices)
    address = serializers.CharField(max_length=1000)
    ca = serializers.CharField(required=False, allow_blank=True)
    start = serializers.ChoiceField(choices=STARTS, required=False, default="first")
    position = serializers.IntegerField(required=False, min_value=0)


class StreamViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Stream]
):
    """Where the record goes out to."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": "audit.view",
        "retrieve": "audit.view",
        **dict.fromkeys(
            ("create", "partial_update", "destroy", "pause", "resume", "secret", "test"),
            "audit.change",
        ),
    }
    queryset = Stream.objects.all()
    serializer_class = StreamSerializer
    filterset_fields = ("name", "kind", "paused")
    lookup_value_regex = "[0-9]+"

    @extend_schema(request=StreamInputSerializer, responses={201: MadeStreamSerializer})
    def create(self, request: Request) -> Response:
        """A new stream. 409 when there are too many."""
        body = form_body(request)
        kind = str(body.get("kind", ""))
        if kind not in StreamKind.values:
            raise serializers.ValidationError({"kind": [_("Give webhook, syslog or file.")]})
        made = StreamKind(kind)
        form = StreamForm({"start": "first", **body}, kind=made)
        if not form.is_valid():
            raise form_problem(form)
        try:
            stream, plain = actions.create(made, form.cleaned_data, request)
        except IntegrityError as error:
            raise Conflict(_("This name was taken just now: choose another one.")) from error
        except actions.NotPossible as error:
            raise Conflict(str(error)) from error
        told = {**StreamSerializer(stream).data, "secret": plain}
        return Response(told, status=status.HTTP_201_CREATED)

    @extend_schema(request=StreamInputSerializer, responses=StreamSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Other settings; the kind stays. position: send again from there."""
        row = self.get_object()
        now = {name: getattr(row, name) for name in actions.FIELDS}
        form = StreamForm({**now, **form_body(request)}, kind=StreamKind(row.kind), stream=row)
        if not form.is_valid():
            raise form_problem(form)
        try:
            actions.change(row, form.cleaned_data, request)
        except IntegrityError as error:
            raise Conflict(_("This name was taken just now: choose another one.")) from error
        return Response(StreamSerializer(row).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Forget a stream and how far it was."""
        actions.remove(self.get_object(), request)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses=StreamSerializer)
    @action(detail=True, methods=["post"])
    def pause(self, request: Request, pk: str | None = None) -> Response:
        """Hold it back."""
        return self._paused(request, True)

    @extend_schema(request=None, responses=StreamSerializer)
    @action(detail=True, methods=["post"])
    def resume(self, request: Request, pk: str | None = None) -> Response:
        """Let it go on where it was."""
        return self._paused(request, False)

    @extend_schema(request=None, responses=SecretSerializer)
    @action(detail=True, methods=["post"])
    def secret(self, request: Request, pk: str | None = None) -> Response:
        """Another signing secret. 409 for what is not signed."""
        try:
            return Response({"secret": actions.renew_secret(self.get_object(), request)})
        except actions.NotPossible as error:
            raise Conflict(str(error)) from error

    @extend_schema(request=None, responses={202: StreamSerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Have a test event go out after all that waits. 409 while the stream is paused."""
        row = self.get_object()
        try:
            actions.send_test(row, request)
        except actions.NotPossible as error:
            raise Conflict(str(error)) from error
        return Response(StreamSerializer(row).data, status=status.HTTP_202_ACCEPTED)

    def _paused(self, request: Request, paused: bool) -> Response:
        row = self.get_object()
        actions.set_paused(row, paused, request)
        return Response(StreamSerializer(row).data)


def register(router: BaseRouter) -> None:
    """Add audit-streams/."""
    router.register("audit-streams", StreamViewSet, "audit-stream")
