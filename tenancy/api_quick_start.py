"""The quick start over REST."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from clusters import api_errors
from clusters.kube import KubeError
from clusters.manifest_apply import as_data
from console.ui.api import flag
from console.ui.api_problems import Conflict, form_problem
from tenancy import fit, quick_start, quick_start_actions
from tenancy.api_fit import ReportSerializer
from tenancy.forms_environment import MOST_ROWS, MOST_VALUE, environment_fields
from tenancy.forms_quick_start import QuickStartForm, initial_of, new_one
from tenancy.models import Namespace
from tenancy.permissions import DEPLOY
from tenancy.quick_start import Variable
from tenancy.views_namespaces import namespace_or_404


class VariableSerializer(serializers.Serializer[Any]):
    """An environment variable: a value, or a key of a secret."""

    name = serializers.CharField(max_length=253)
    value = serializers.CharField(
        max_length=MOST_VALUE, default="", allow_blank=True, trim_whitespace=False
    )
    secret = serializers.CharField(max_length=253, default="", allow_blank=True)
    key = serializers.CharField(max_length=253, default="", allow_blank=True)


class AppSerializer(serializers.Serializer[Any]):
    """An application; what is not sent keeps the namespace's defaults, or what it has.

    command and arguments are quoted as in a shell. new: refuse when it is there already.
    """

    new = serializers.BooleanField(default=False)
    name = serializers.CharField(max_length=63)
    image = serializers.CharField(max_length=500, required=False)
    command = serializers.CharField(max_length=8192, required=False, allow_blank=True)
    arguments = serializers.CharField(max_length=8192, required=False, allow_blank=True)
    replicas = serializers.IntegerField(required=False)
    port = serializers.IntegerField(required=False, allow_null=True)
    service = serializers.BooleanField(required=False)
    service_port = serializers.IntegerField(required=False, allow_null=True)
    cpu_request = serializers.CharField(max_length=40, required=False, allow_blank=True)
    cpu_limit = serializers.CharField(max_length=40, required=False, allow_blank=True)
    memory_request = serializers.CharField(max_length=40, required=False, allow_blank=True)
    memory_limit = serializers.CharField(max_length=40, required=False, allow_blank=True)
    environment = VariableSerializer(many=True, required=False)
    run_as_user = serializers.IntegerField(required=False, allow_null=True)
    host = serializers.CharField(max_length=253, required=False, allow_blank=True)
    path = serializers.CharField(max_length=500, required=False, allow_blank=True)
    ingress_class = serializers.CharField(max_length=253, required=False, allow_blank=True)
    mount_path = serializers.CharField(max_length=500, required=False, allow_blank=True)
    volume_size = serializers.CharField(max_length=40, required=False, allow_blank=True)
    storage_class = serializers.CharField(max_length=253, required=False, allow_blank=True)

    def validate_environment(self, value: list[Any]) -> list[Any]:
        """No more variables than the form takes."""
        if len(value) > MOST_ROWS:
            raise serializers.ValidationError(_("At most %(n)d, please.") % {"n": MOST_ROWS})
        return value

    def over(self, before: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of the form: what was sent, over what is there."""
        found = {**before}
        for name, value in self.validated_data.items():
            if name == "environment":
                found = {k: v for k, v in found.items() if not k.startswith("env_")}
                found |= environment_fields(Variable(**one) for one in value)
            else:
                found[name] = "" if value is None else value
        return found


class RemoveSerializer(serializers.Serializer[Any]):
    """What goes. volume: its data too."""

    name = serializers.CharField(max_length=63)
    volume = serializers.BooleanField(default=False)


class DeployedSerializer(serializers.Serializer[Any]):
    """What was, or would be, applied; objects as in the answer of manifests/."""

    dry_run = serializers.BooleanField()
    yaml = serializers.CharField()
    fit = ReportSerializer()
    objects = serializers.ListField(child=serializers.DictField())
    removed = serializers.ListField(child=serializers.CharField())
    problems = serializers.ListField(child=serializers.CharField())


class QuickStartMixin:
    """The actions of a namespace; the viewset declares their permissions."""

    @extend_schema(
        request=AppSerializer,
        parameters=[OpenApiParameter("dry_run", bool, description="try it and keep nothing")],
        responses={200: DeployedSerializer, 409: None},
    )
    @action(detail=True, methods=["post"], url_path="quick-start", url_name="quick-start")
    def quick_start(self, request: Request, pk: str | None = None) -> Response:
        """Deploy an image, or change what was deployed so. 409: something stands in the way."""
        namespace = _namespace(request, pk)
        body = AppSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user: Any = request.user
        with _answered():
            before = quick_start_actions.load(namespace, body.validated_data["name"], user)
        port = body.validated_data.get("port")
        made = {**new_one(namespace), "service": port is not None}
        fields = body.over(initial_of(before) if before else made)
        form = QuickStartForm(fields, namespace=namespace, app=before)
        if not form.is_valid():
            raise form_problem(form)
        dry_run, new = flag(request, "dry_run"), bool(body.validated_data["new"])
        with _answered():
            if dry_run:
                result = quick_start_actions.try_out(namespace, form.app, user, new=new)
            else:
                result = quick_start_actions.deploy(
                    namespace, form.app, by=user, new=new, request=request
                )
        text = quick_start.text(form.app, namespace.pod_security)
        if result.failed and not dry_run:
            said = [*result.problems, *(one.error for one in result.outcomes if one.failed)]
            raise Conflict(" ".join(said) or _("It was not applied."))
        data = {
            "dry_run": dry_run,
            "yaml": text,
            "fit": fit.report(namespace, text),
            "objects": [as_data(one) for one in result.outcomes],
            "removed": result.removed,
            "problems": result.problems,
        }
        return Response(DeployedSerializer(data).data)

    @extend_schema(request=RemoveSerializer, responses={200: None})
    @action(
        detail=True, methods=["post"], url_path="quick-start/remove", url_name="quick-start-remove"
    )
    def quick_start_remove(self, request: Request, pk: str | None = None) -> Response:
        """Remove what quick start made; the answer names it."""
        namespace = _namespace(request, pk)
        body = RemoveSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        user: Any = request.user
        with _answered():
            gone = quick_start_actions.remove(
                namespace, by=user, request=request, **body.validated_data
            )
        return Response({"removed": gone})


def _namespace(request: Request, pk: str | None) -> Namespace:
    return namespace_or_404(request.user, int(pk or 0), DEPLOY)


@contextmanager
def _answered() -> Iterator[None]:
    """Turn what the cluster or the namespace refuses into the API's answers."""
    try:
        yield
    except quick_start_actions.QuickStartRefusedError as error:
        raise Conflict(str(error)) from error
    except KubeError as error:
        raise api_errors.ClusterRefused(error) from error
