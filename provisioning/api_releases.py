"""Releases over REST: list, fetch, upload a bundle, verify, delete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from console.accounts.models import User
from console.ui.api_problems import Conflict, form_problem
from provisioning import release_actions as actions
from provisioning.api_hosts import flat_body
from provisioning.api_tasks import TaskSerializer
from provisioning.forms_releases import BundleForm, FetchForm
from provisioning.models import Release, ReleaseFile
from provisioning.releases_layout import ReleaseError


class ReleaseFileSerializer(serializers.ModelSerializer[ReleaseFile]):
    """One file; sha256 and size are of the file as it is on a host."""

    class Meta:
        model = ReleaseFile
        fields = ("name", "kind", "sha256", "size", "packed_size", "origin")
        read_only_fields = fields


class ReleaseSerializer(serializers.ModelSerializer[Release]):
    """A release without its files."""

    class Meta:
        model = Release
        fields: tuple[str, ...] = (
            "id",
            "version",
            "arch",
            "source",
            "provenance",
            "pause_image",
            "verify_image",
            "state",
            "state_reason",
            "created",
        )
        read_only_fields = fields


class ReleaseDetailSerializer(ReleaseSerializer):
    """A release with its files."""

    files = ReleaseFileSerializer(many=True, read_only=True)

    class Meta(ReleaseSerializer.Meta):
        fields = (*ReleaseSerializer.Meta.fields, "files")
        read_only_fields = fields


class FetchSerializer(serializers.Serializer[Any]):
    """Which version to download."""

    version = serializers.CharField(max_length=40)
    arch = serializers.CharField(required=False, default="amd64")


class BundleSerializer(serializers.Serializer[Any]):
    """An archive; version and arch only for one without manifest.json."""

    bundle = serializers.FileField()
    version = serializers.CharField(required=False)
    arch = serializers.CharField(required=False, default="amd64")


class ReleaseTaskSerializer(serializers.Serializer[Any]):
    """A release, and the task that fetches it."""

    release = ReleaseSerializer()
    task = TaskSerializer()


class ReleaseViewSet(
    mixins.ListModelMixin, mixins.RetrieveModelMixin, viewsets.GenericViewSet[Release]
):
    """Verified sets of Kubernetes binaries."""

    permissions: ClassVar[Mapping[str, str]] = {
        "list": "releases.view",
        "retrieve": "releases.view",
        "fetch": "releases.change",
        "bundle": "releases.change",
        "verify": "releases.change",
        "destroy": "releases.change",
    }
    queryset = Release.objects.all()
    serializer_class = ReleaseSerializer
    filterset_fields = ("version", "arch", "state", "source")
    lookup_value_regex = "[0-9]+"

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Release]]:
        """The files only come with a single release."""
        return ReleaseDetailSerializer if self.action == "retrieve" else ReleaseSerializer

    @extend_schema(request=FetchSerializer, responses={202: ReleaseTaskSerializer})
    @action(detail=False, methods=["post"])
    def fetch(self, request: Request) -> Response:
        """Download a version from the official site or the console's mirror."""
        form = FetchForm({"arch": "amd64", **flat_body(request)})
        if not form.is_valid():
            raise form_problem(form)
        cleaned, user = form.cleaned_data, cast(User, request.user)
        try:
            release, task = actions.fetch(
                cleaned["version"], cleaned["arch"], user, request._request
            )
        except ReleaseError as error:
            raise Conflict(f"{error} {error.hint}".strip()) from error
        body = ReleaseTaskSerializer({"release": release, "task": task})
        return Response(body.data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=BundleSerializer, responses={202: TaskSerializer})
    @action(detail=False, methods=["post"], parser_classes=[MultiPartParser])
    def bundle(self, request: Request) -> Response:
        """Upload a bundle (multipart); a task looks into it."""
        given = cast(Mapping[str, Any], request.data)  # always so: multipart only
        body = {key: value for key, value in given.items() if key != "bundle"}
        form = BundleForm({"arch": "amd64", **body}, request.FILES)
        if not form.is_valid():
            raise form_problem(form)
        cleaned, user = form.cleaned_data, cast(User, request.user)
        try:
            task = actions.upload(
                cleaned["bundle"], cleaned["version"], cleaned["arch"], user, request._request
            )
        except ReleaseError as error:
            raise serializers.ValidationError({"bundle": [str(error)]}) from error
        return Response(TaskSerializer(task).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: TaskSerializer})
    @action(detail=True, methods=["post"])
    def verify(self, request: Request, pk: str | None = None) -> Response:
        """Read every file and compare its checksum."""
        user = cast(User, request.user)
        try:
            task = actions.verify(self.get_object(), user, request._request)
        except ReleaseError as error:
            raise Conflict(str(error)) from error
        return Response(TaskSerializer(task).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(responses={204: None})
    def destroy(self, request: Request, pk: str | None = None) -> Response:
        """Delete a release and its files. 409 while a cluster runs it."""
        try:
            actions.remove(self.get_object(), cast(User, request.user), request._request)
        except ReleaseError as error:
            raise Conflict(str(error)) from error
        return Response(status=status.HTTP_204_NO_CONTENT)


def register(router: BaseRouter) -> None:
    """Add releases/ to the API."""
    router.register("releases", ReleaseViewSet, basename="release")
