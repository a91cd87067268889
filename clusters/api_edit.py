"""One object's YAML over REST: read it, try a change, make it; the page's calls (object_edit)."""

from __future__ import annotations

from typing import Any

from django.urls import path
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from clusters import object_edit
from clusters.api_errors import ClusterRefused, answered
from clusters.api_operations import OBJECT, ObjectOperation
from clusters.kube import Conflict
from clusters.manifest_text import MOST_BYTES, bare, dump
from clusters.models import Object
from clusters.object_edit import Clash
from clusters.object_yaml import fetch, shown
from clusters.operate import connection, perform, refuse_by_role, user_of
from console.ui.api import flag

DRY_RUN = OpenApiParameter(
    "dry_run", OpenApiTypes.BOOL, description="answer what would change and keep nothing"
)
YAML = inline_serializer(
    "ObjectYaml",
    {
        "yaml": serializers.CharField(help_text="without status and managedFields"),
        "resource_version": serializers.CharField(),
    },
)
EDITED = inline_serializer(
    "ObjectEdited",
    {
        "dry_run": serializers.BooleanField(),
        "diff": serializers.CharField(help_text="of a dry run: a unified diff; empty: nothing"),
        "before": serializers.JSONField(help_text="of a change: the fields that it touched"),
        "after": serializers.JSONField(),
    },
)
CLASHED = inline_serializer(
    "ObjectClash",
    {
        "detail": serializers.CharField(),
        "yaml": serializers.CharField(help_text="the object as it is now"),
        "resource_version": serializers.CharField(),
        "changed": serializers.CharField(help_text="a unified diff from base to what is now"),
    },
)


class EditSerializer(serializers.Serializer[Any]):
    """An object as it is to be, and the version that was looked at."""

    yaml = serializers.CharField(trim_whitespace=False, max_length=MOST_BYTES)
    resource_version = serializers.CharField(
        default="", allow_blank=True, max_length=253,
        help_text="as it was read; may be left out where the YAML names it",
    )  # fmt: skip
    base = serializers.CharField(
        default="", allow_blank=True, trim_whitespace=False, max_length=MOST_BYTES,
        help_text="the YAML as it was read: a conflict then says what others changed in it; "
        "without it, how what is there differs from what you sent",
    )  # fmt: skip


class Clashed(ClusterRefused):
    """409: others changed the object meanwhile; the problem says what is there now."""

    def __init__(self, error: Conflict, clash: Clash) -> None:
        super().__init__(error)
        self.members = {
            "yaml": clash.text,
            "resource_version": clash.version,
            "changed": clash.diff,
        }


class YamlView(ObjectOperation):
    """An object's YAML."""

    permissions = {"get": "clusters.view"}

    @extend_schema(responses=YAML)
    def get(self, request: Request, **address: Any) -> Response:
        """The object as the cluster has it now, in your name; values of Secrets are masked."""
        row = self.row(request, address)
        with answered():
            found = bare(shown(fetch(row, request.user)))
        version = str(found["metadata"].get("resourceVersion", ""))
        return Response({"yaml": dump(found), "resource_version": version})


class EditView(ObjectOperation):
    """Change an object by its YAML."""

    @extend_schema(
        request=EditSerializer, parameters=[DRY_RUN], responses={200: EDITED, 409: CLASHED}
    )
    def post(self, request: Request, **address: Any) -> Response:
        """Make the change, or with ?dry_run=true have the cluster try it.

        409 when others changed the object since it was read: nothing is overwritten.
        """
        row, dry_run = self.row(request, address), flag(request, "dry_run")
        sent = EditSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        with answered():
            object_edit.refuse_secrets(row)
            refuse_by_role(user_of(request), "update", row)
            body = _body(row, sent.validated_data)
            try:
                return Response({"dry_run": dry_run, **_done(request, row, body, dry_run)})
            except Conflict as conflict:
                base = sent.validated_data["base"] or sent.validated_data["yaml"]
                conn = connection(row.cluster, user_of(request))
                raise Clashed(conflict, object_edit.clash(conn, row, base)) from conflict


def _body(row: Object, sent: dict[str, str]) -> dict[str, Any]:
    """The object that was sent. Raises Refused, or Invalid where it names two versions."""
    version = sent["resource_version"]
    body = object_edit.body_of(row, sent["yaml"], version)
    if version and version != body["metadata"]["resourceVersion"]:
        what = _("The YAML names another version: %(version)s.")
        told = what % {"version": body["metadata"]["resourceVersion"][:80]}
        raise serializers.ValidationError({"resource_version": [told]})
    return body


def _done(request: Request, row: Object, body: dict[str, Any], dry_run: bool) -> dict[str, Any]:
    user = user_of(request)
    if dry_run:
        diff = object_edit.tried(connection(row.cluster, user), row, body)
        return {"diff": diff, "before": {}, "after": {}}
    effect = perform(
        row, "object.edited", lambda conn: object_edit.saved(conn, row, body),
        user=user, request=request._request,
    )  # fmt: skip
    return {"diff": "", "before": effect.before, "after": effect.after}


urlpatterns = [
    path(f"{OBJECT}yaml/", YamlView.as_view(), name="object-yaml"),
    path(f"{OBJECT}edit/", EditView.as_view(), name="object-edit"),
]
