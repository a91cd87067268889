"""SSH credentials over REST: private keys go in and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from django.db import IntegrityError
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.models import User
from console.ui.api_problems import Conflict, form_problem
from provisioning import credential_actions as actions
from provisioning.api_hosts import flat_body
from provisioning.forms_credentials import CredentialForm, GenerateForm, PasteForm
from provisioning.models import KeyKind, SSHCredential


class CredentialSerializer(serializers.ModelSerializer[SSHCredential]):
    """A credential: its public half only."""

    class Meta:
        model = SSHCredential
        fields = (
            "id",
            "name",
            "username",
            "kind",
            "public_key",
            "fingerprint",
            "valid_until",
            "created",
        )
        read_only_fields = fields


class CredentialInputSerializer(serializers.Serializer[Any]):
    """Give `kind` to have a key made, or `private_key` (with its passphrase) to bring one."""

    name = serializers.CharField(max_length=80)
    username = serializers.CharField(required=False, default="root", max_length=64)
    kind = serializers.ChoiceField(choices=KeyKind.choices, required=False)
    private_key = serializers.CharField(required=False, write_only=True)
    passphrase = serializers.CharField(required=False, write_only=True)
    valid_until = serializers.DateField(
        required=False, allow_null=True, help_text="warn before this day; the key goes on working"
    )


class CredentialChangeSerializer(serializers.Serializer[Any]):
    """What of a credential can be changed."""

    name = serializers.CharField(required=False, max_length=80)
    username = serializers.CharField(required=False, max_length=64)
    valid_until = serializers.DateField(required=False, allow_null=True)


class CredentialViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[SSHCredential]
):
    """Keys that the console signs in to hosts with."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": "credentials.view",
        "retrieve": "credentials.view",
        "create": "credentials.change",
        "partial_update": "credentials.change",
        "destroy": "credentials.change",
    }
    queryset = SSHCredential.objects.all()
    serializer_class = CredentialSerializer
    filterset_fields = ("name", "kind")
    lookup_value_regex = "[0-9]+"

    @extend_schema(request=CredentialInputSerializer, responses={201: CredentialSerializer})
    def create(self, request: Request) -> Response:
        """Make a key, or keep one that is brought."""
        body = {"username": "root", **flat_body(request)}
        form: GenerateForm | PasteForm
        if body.get("private_key"):
            form = PasteForm(body)
        else:
            form = GenerateForm({"kind": KeyKind.ED25519.value, **body})
        if not form.is_valid():
            raise form_problem(form)
        cleaned, user = form.cleaned_data, cast(User, request.user)
        try:
            made = actions.create(actions.Named.of(cleaned), form.pair(), user, request._request)
        except IntegrityError as error:
            raise Conflict(_("This name was taken just now: choose another one.")) from error
        return Response(CredentialSerializer(made).data, status=status.HTTP_201_CREATED)

    @extend_schema(request=CredentialChangeSerializer, responses=CredentialSerializer)
    def partial_update(self, request: Request, pk: str | None = None) -> Response:
        """Another name, user or day."""
        row = self.get_object()
        now = {"name": row.name, "username": row.username, "valid_until": row.valid_until}
        form = CredentialForm({**now, **flat_body(request)}, credential=row)
        if not form.is_valid():
            raise form_problem(form)
        cleaned, user = form.cleaned_data, cast(User, request.user)
        try:
            actions.change(row, actions.Named.of(cleaned), user, request._request)
        except IntegrityError as error:
            raise Conflict(_("This name was taken just now: choose another one.")) from error
        return Response(CredentialSerializer(row).data)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Forget a key. 409, naming the hosts, while it is in use."""
        try:
            actions.remove(self.get_object(), cast(User, request.user), request._request)
        except actions.CredentialInUseError as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


def register(router: BaseRouter) -> None:
    """Add credentials/ to the API."""
    router.register("credentials", CredentialViewSet, basename="credential")
