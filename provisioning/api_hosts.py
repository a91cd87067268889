"""Hosts over REST: list, one, many at once, trust, check, remove."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db import IntegrityError
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.models import User
from console.ui.api_problems import Conflict, form_problem
from provisioning import host_actions, host_page
from provisioning.api_tasks import TaskSerializer
from provisioning.filters_hosts import HostFilter
from provisioning.forms_hosts import HostForm, HostsForm, initial_of
from provisioning.host_actions import HostRefusedError
from provisioning.models import Cleanup, Host


class CleanupSerializer(serializers.ModelSerializer[Cleanup]):
    """What a cluster left on a host that was away."""

    cluster = serializers.CharField(source="cluster_name")
    since = serializers.DateTimeField(source="created")

    class Meta:
        model = Cleanup
        fields = ("cluster", "cluster_number", "reason", "since")
        read_only_fields = fields


class HostSerializer(serializers.ModelSerializer[Host]):
    """A host without its facts; secrets only say whether they are set."""

    cluster_name = serializers.CharField(source="cluster.name", default=None)
    fingerprint = serializers.SerializerMethodField(help_text="of the key that is trusted")
    offered_fingerprint = serializers.SerializerMethodField(
        help_text="of a key that the host shows and nobody trusts yet"
    )
    has_sudo_password = serializers.SerializerMethodField()
    cleanups = CleanupSerializer(many=True, read_only=True)

    class Meta:
        model = Host
        fields: tuple[str, ...] = (
            "id",
            "name",
            "address",
            "port",
            "username",
            "credential",
            "jump",
            "has_sudo_password",
            "state",
            "state_reason",
            "state_since",
            "fingerprint",
            "offered_fingerprint",
            "facts_at",
            "clock_skew",
            "cluster",
            "cluster_name",
            "cluster_role",
            "missed",
            "cleanups",
            "is_lab",
            "created",
        )
        read_only_fields = fields

    def get_fingerprint(self, host: Host) -> str:
        """SHA-256, as ssh-keygen prints it."""
        return host_actions.fingerprint_of(host.host_key)

    def get_offered_fingerprint(self, host: Host) -> str:
        """SHA-256, as ssh-keygen prints it."""
        found = host_page.offered(host)
        return found.fingerprint if found else ""

    def get_has_sudo_password(self, host: Host) -> bool:
        """Whether one is set; the password itself is never shown."""
        return bool(host.sudo_password)


class HostDetailSerializer(HostSerializer):
    """A host with everything that the last check found."""

    class Meta(HostSerializer.Meta):
        fields = (*HostSerializer.Meta.fields, "facts")
        read_only_fields = fields


class HostInputSerializer(serializers.Serializer[Any]):
    """A host to be added or changed. Passwords go in and never come out."""

    name = serializers.CharField(required=False, help_text="empty: made from the address")
    address = serializers.CharField()
    port = serializers.IntegerField(required=False, default=22)
    username = serializers.CharField(required=False, help_text="empty: the credential's")
    credential = serializers.IntegerField(required=False)
    jump = serializers.IntegerField(required=False)
    sudo_password = serializers.CharField(required=False, write_only=True)
    first_password = serializers.CharField(required=False, write_only=True)
    forget_sudo_password = serializers.BooleanField(required=False, write_only=True)


class HostsInputSerializer(serializers.Serializer[Any]):
    """Many hosts: `user@address:port name`, one in a line, and what they have in common."""

    hosts = serializers.CharField()
    username = serializers.CharField(required=False)
    credential = serializers.IntegerField(required=False)
    jump = serializers.IntegerField(required=False)
    sudo_password = serializers.CharField(required=False, write_only=True)
    first_password = serializers.CharField(required=False, write_only=True)


class HostTaskSerializer(serializers.Serializer[Any]):
    """A host, and the task that checks it."""

    host = HostSerializer()
    task = TaskSerializer(allow_null=True)


class HostsTaskSerializer(serializers.Serializer[Any]):
    """Hosts, and the task that checks them."""

    hosts = HostSerializer(many=True)
    task = TaskSerializer()


class TrustSerializer(serializers.Serializer[Any]):
    """The fingerprint that was compared; the name too when the key replaces a trusted one."""

    fingerprint = serializers.CharField(max_length=100)
    confirm_name = serializers.CharField(required=False, default="", max_length=63)


class HostViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Host]):
    """Machines that clusters are made of."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": "hosts.view",
        "retrieve": "hosts.view",
        "create": "hosts.change",
        "bulk": "hosts.change",
        "partial_update": "hosts.change",
        "destroy": "hosts.change",
        "trust": "hosts.change",
        "check": "hosts.change",
        "clean_up": "hosts.change",
        "forget_clean_up": "hosts.change",
    }
    queryset = Host.objects.select_related("cluster", "credential", "jump").prefetch_related(
        "cleanups"
    )
    serializer_class = HostSerializer
    filterset_class = HostFilter
    lookup_value_regex = "[0-9]+"

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Host]]:
        """The facts only come with a single host."""
        return HostDetailSerializer if self.action == "retrieve" else HostSerializer

    @extend_schema(request=HostInputSerializer, responses={201: HostTaskSerializer})
    def create(self, request: Request) -> Response:
        """Add one host; a task checks it."""
        form = HostForm({"port": 22, **flat_body(request)})
        if not form.is_valid():
            raise form_problem(form)
        host = form.apply()
        task = self._add([host], request)
        body = HostTaskSerializer({"host": host, "task": task})
        return Response(body.data, status=status.HTTP_201_CREATED)

    @extend_schema(request=HostsInputSerializer, responses={201: HostsTaskSerializer})
    @action(detail=False, methods=["post"])
    def bulk(self, request: Request) -> Response:
        """Add many hosts, all or none; one task checks them."""
        form = HostsForm(flat_body(request))
        if not form.is_valid():
            raise form_problem(form)
        made = form.made()
        task = self._add(made, request)
        body = HostsTaskSerializer({"hosts": made, "task": task})
        return Response(body.data, status=status.HTTP_201_CREATED)

    @extend_schema(request=HostInputSerializer, responses=HostTaskSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Change how a host is reached; a task checks it when that makes a difference."""
        host = self.get_object()
        before = host_actions.public_fields(host)
        form = HostForm({**_plain(initial_of(host)), **flat_body(request)}, host=host)
        if not form.is_valid():
            raise form_problem(form)
        try:
            task = host_actions.change(form.apply(), before, _user(request), request._request)
        except IntegrityError as error:
            raise Conflict(_("Another host got this name or address just now.")) from error
        return Response(HostTaskSerializer({"host": host, "task": task}).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Forget a host; the machine is left as it is. 409 while it serves a cluster."""
        try:
            host_actions.remove(self.get_object(), _user(request), request._request)
        except HostRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(request=TrustSerializer, responses={202: HostTaskSerializer})
    @action(detail=True, methods=["post"])
    def trust(self, request: Request, pk: str | None = None) -> Response:
        """Trust the key that the host shows, if its fingerprint is this one. 409 if not."""
        wanted = TrustSerializer(data=request.data)
        wanted.is_valid(raise_exception=True)
        try:
            host, task = host_actions.trust(
                self.get_object().pk,
                wanted.validated_data["fingerprint"],
                _user(request),
                request._request,
                confirm_name=wanted.validated_data["confirm_name"],
            )
        except HostRefusedError as error:
            raise Conflict(str(error)) from error
        body = HostTaskSerializer({"host": host, "task": task})
        return Response(body.data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def check(self, request: Request, pk: str | None = None) -> Response:
        """Check a host: reachable, fingerprint, facts."""
        task = host_actions.check([self.get_object()], _user(request), request._request)
        return Response(TaskSerializer(task).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: TaskSerializer})
    @action(detail=True, methods=["post"], url_path="clean-up", filter_backends=[])
    def clean_up(self, request: Request, pk: str | None = None) -> Response:
        """Take off what a cluster left while the host was away. 409 when there is nothing."""
        try:
            task = host_actions.clean_up(self.get_object(), _user(request), request._request)
        except HostRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(TaskSerializer(task).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={204: None})
    @clean_up.mapping.delete
    def forget_clean_up(self, request: Request, pk: str | None = None) -> Response:
        """Drop the records for the clean-up: the machine was installed anew, or is gone."""
        try:
            host_actions.forget_clean_up(self.get_object(), _user(request), request._request)
        except HostRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _add(self, made: list[Host], request: Request) -> Any:
        try:
            return host_actions.add(made, _user(request), request._request)
        except IntegrityError as error:
            text = _("One of these hosts was added by somebody else just now.")
            raise Conflict(text) from error


def _user(request: Request) -> User:
    return cast(User, request.user)


def flat_body(request: Request) -> dict[str, Any]:
    """The body as a form takes it: an object of plain values. Raises ValidationError."""
    if not isinstance(request.data, Mapping):
        raise serializers.ValidationError(_("The body must be an object."))
    body = {str(key): request.data[key] for key in request.data}
    nested = [key for key, value in body.items() if isinstance(value, dict | list)]
    if nested:
        raise serializers.ValidationError({key: [_("A plain value is wanted.")] for key in nested})
    return _plain(body)


def _plain(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: "" if value is None else value for key, value in values.items()}


def register(router: BaseRouter) -> None:
    """Add hosts/ to the API."""
    router.register("hosts", HostViewSet, basename="host")
