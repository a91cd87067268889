"""Channels and rules over REST. A signing secret is in the answer that makes it alone."""

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

from console.notices import actions
from console.notices.forms import ChannelForm, RuleForm
from console.notices.models import Channel, ChannelType, Delivery, Rule
from console.ui.api import CursorPage
from console.ui.api_problems import Conflict, form_body, form_problem


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    """A channel, without its secret."""

    class Meta:
        model = Channel
        fields = (
            "id", "name", "type", "address", "enabled", "disabled_reason", "language",
            "quiet_from", "quiet_until", "time_zone", "break_through", "created", "last_at",
            "last_ok", "last_answer",
        )  # fmt: skip
        read_only_fields = fields


class MadeChannelSerializer(ChannelSerializer):
    """A channel that was just made, with its signing secret: keep it, it is not shown again."""

    secret = serializers.CharField()

    class Meta:
        model = Channel
        fields = (*ChannelSerializer.Meta.fields, "secret")
        read_only_fields = fields


class SecretSerializer(serializers.Serializer[Any]):
    """A new signing secret: keep it, it is not shown again."""

    secret = serializers.CharField()


class ChannelInputSerializer(serializers.Serializer[Any]):
    """quiet_from, quiet_until: HH:MM in time_zone, both or none."""

    name = serializers.CharField(max_length=80)
    type = serializers.ChoiceField(choices=ChannelType.choices)
    address = serializers.CharField(max_length=1000)
    enabled = serializers.BooleanField(required=False, default=True)
    language = serializers.CharField(required=False)
    quiet_from = serializers.CharField(required=False, allow_null=True)
    quiet_until = serializers.CharField(required=False, allow_null=True)
    time_zone = serializers.CharField(required=False)
    break_through = serializers.ListField(child=serializers.CharField(), required=False)


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    """One message of a channel and how it went."""

    class Meta:
        model = Delivery
        fields = (
            "id", "uuid", "notice", "message", "state", "created", "due", "attempts", "ended",
            "answer",
        )  # fmt: skip
        read_only_fields = fields


class RuleSerializer(serializers.ModelSerializer[Rule]):
    """A rule of a channel. Empty lists and texts mean: all."""

    class Meta:
        model = Rule
        fields = ("id", "channel", "kinds", "severities", "clusters", "min_seconds")


class ChannelViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Channel]
):
    """Where notices go out to."""

    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        (
            "list", "retrieve", "create", "partial_update", "destroy", "test", "secret",
            "deliveries",
        ),
        "notices.change",
    )  # fmt: skip
    queryset = Channel.objects.all()
    serializer_class = ChannelSerializer
    filterset_fields = ("name", "type", "enabled")
    lookup_value_regex = "[0-9]+"

    @extend_schema(request=ChannelInputSerializer, responses={201: MadeChannelSerializer})
    def create(self, request: Request) -> Response:
        """A new channel, with a rule for warnings and worse that last two minutes."""
        body = form_body(request, lists=True)
        kind = str(body.get("type", ""))
        if kind not in ChannelType.values:
            raise serializers.ValidationError({"type": [_("Give webhook or email.")]})
        made = ChannelType(kind)
        form = ChannelForm({"enabled": True, **body}, kind=made)
        if not form.is_valid():
            raise form_problem(form)
        try:
            channel, plain = actions.create_channel(made, form.cleaned_data, request)
        except IntegrityError as error:
            raise Conflict(_("This name was taken just now: choose another one.")) from error
        told = {**ChannelSerializer(channel).data, "secret": plain}
        return Response(told, status=status.HTTP_201_CREATED)

    @extend_schema(request=ChannelInputSerializer, responses=ChannelSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Other settings; the type stays."""
        row = self.get_object()
        now = {name: getattr(row, name) for name in actions.CHANNEL_FIELDS}
        form = ChannelForm(
            {**now, **form_body(request, lists=True)}, kind=ChannelType(row.type), channel=row
        )
        if not form.is_valid():
            raise form_problem(form)
        try:
            actions.change_channel(row, form.cleaned_data, request)
        except IntegrityError as error:
            raise Conflict(_("This name was taken just now: choose another one.")) from error
        return Response(ChannelSerializer(row).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Forget a channel, its rules and its log."""
        actions.remove_channel(self.get_object(), request)
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=None, responses={202: DeliverySerializer})
    @action(detail=True, methods=["post"])
    def test(self, request: Request, pk: str | None = None) -> Response:
        """Have a test message sent; deliveries/ tells how it went. 409 when the channel is off."""
        try:
            delivery = actions.send_test(self.get_object(), request)
        except actions.Refused as error:
            raise Conflict(str(error)) from error
        return Response(DeliverySerializer(delivery).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses=SecretSerializer)
    @action(detail=True, methods=["post"])
    def secret(self, request: Request, pk: str | None = None) -> Response:
        """Another signing secret. 409 for what is not signed."""
        try:
            return Response({"secret": actions.renew_secret(self.get_object(), request)})
        except actions.Refused as error:
            raise Conflict(str(error)) from error

    @extend_schema(responses=DeliverySerializer(many=True))
    @action(detail=True, methods=["get"], filterset_fields=None)
    def deliveries(self, request: Request, pk: str | None = None) -> Response:
        """What was sent to the channel, newest first."""
        rows = Delivery.objects.filter(channel=self.get_object())
        page = CursorPage()
        found = page.paginate_queryset(rows, request, view=self) or []
        return page.get_paginated_response(DeliverySerializer(found, many=True).data)


class RuleViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Rule]):
    """Which notices go to which channel."""

    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("list", "retrieve", "create", "partial_update", "destroy"), "notices.change"
    )
    queryset = Rule.objects.select_related("channel")
    serializer_class = RuleSerializer
    filterset_fields = ("channel",)
    lookup_value_regex = "[0-9]+"

    @extend_schema(request=RuleSerializer, responses={201: RuleSerializer})
    def create(self, request: Request) -> Response:
        """A new rule."""
        body = form_body(request, lists=True)
        number = str(body.get("channel", ""))
        number = number if number.isascii() and number.isdigit() and len(number) < 19 else "0"
        channel = Channel.objects.filter(pk=int(number)).first()
        if channel is None:
            raise serializers.ValidationError({"channel": [_("There is no such channel.")]})
        form = RuleForm(body)
        if not form.is_valid():
            raise form_problem(form)
        rule = actions.create_rule(channel, form.cleaned_data, request)
        return Response(RuleSerializer(rule).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=RuleSerializer, responses=RuleSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Another content; the channel stays."""
        rule = self.get_object()
        now = {name: getattr(rule, name) for name in actions.RULE_FIELDS}
        form = RuleForm({**now, **form_body(request, lists=True)}, rule=rule)
        if not form.is_valid():
            raise form_problem(form)
        actions.change_rule(rule, form.cleaned_data, request)
        return Response(RuleSerializer(rule).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Forget a rule."""
        actions.remove_rule(self.get_object(), request)
        return Response(status=status.HTTP_204_NO_CONTENT)


def register(router: BaseRouter) -> None:
    """Add notice-channels/ and notice-rules/."""
    router.register("notice-channels", ChannelViewSet, "notice-channel")
    router.register("notice-rules", RuleViewSet, "notice-rule")
