"""Imports over REST: check and import, replace credentials, forget."""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, cast

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, mixins, serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.routers import BaseRouter

from clusters import ending, forgetting, import_page, importing
from clusters.api import ClusterSerializer
from clusters.kube.kubeconfig_parser import Context, Reach, given_by_hand, parse
from clusters.kube.strict_yaml import LARGEST, Refused
from clusters.models import Cluster, ClusterImport, ImportState, Origin
from clusters.rights import visible_clusters
from clusters.tables import clusters_with_nodes
from console.accounts.confirm import Confirmed
from console.accounts.models import User
from console.accounts.permissions import Declared
from console.ui.api_problems import Conflict

WAIT_SECONDS = 10.0
LOOK_SECONDS = 0.2
DRY_RUN = OpenApiParameter(
    "dry_run", OpenApiTypes.BOOL, description="answer the check and save nothing"
)


class GivenSerializer(serializers.Serializer[Any]):
    """A kubeconfig, or server, CA and token. Nothing of it is ever answered."""

    kubeconfig = serializers.CharField(
        required=False, trim_whitespace=False, max_length=LARGEST, write_only=True
    )
    server = serializers.CharField(required=False, max_length=255)
    ca = serializers.CharField(
        required=False, allow_blank=True, trim_whitespace=False, max_length=LARGEST
    )
    token = serializers.CharField(required=False, max_length=LARGEST, write_only=True)
    exchange = serializers.BooleanField(
        default=False,
        help_text="Make a service account flotilla/console and keep its token instead.",
    )

    def found(self) -> list[Context]:
        """The contexts. Invalid naming the field."""
        data = self.validated_data
        reach = Reach(settings.PRIVATE_CLUSTERS, tuple(settings.OUTBOUND_ALLOWED))
        if "kubeconfig" in data:
            try:
                return parse(data["kubeconfig"], reach)
            except Refused as refused:
                raise serializers.ValidationError({"kubeconfig": [str(refused)]}) from None
        if "server" not in data:
            message = _("Give a kubeconfig, or server, ca and token.")
            raise serializers.ValidationError({"kubeconfig": [message]})
        entry, problems = given_by_hand(
            data["server"], data.get("ca", ""), data.get("token", ""), reach
        )
        if entry is None:
            raise serializers.ValidationError(problems)
        return importing.of_hand(entry, entry.server.removeprefix("https://").split(":")[0])


class ImportRequestSerializer(GivenSerializer):
    """contexts: which ones, by name; by default the only one, or the current one."""

    contexts = serializers.ListField(
        child=serializers.CharField(max_length=253), required=False, allow_empty=False
    )
    names = serializers.DictField(
        child=serializers.CharField(max_length=63), default=dict,
        help_text="The clusters' names here, by context.",
    )  # fmt: skip
    name = serializers.CharField(
        required=False, max_length=63, help_text="The name, where there is one context."
    )

    def chosen(self, row: ClusterImport) -> dict[int, str]:
        """{number in row.offered: name}. Invalid for contexts that are not there."""
        data = self.validated_data
        by_name = {item["context"]: number for number, item in enumerate(row.offered)}
        wanted = data.get("contexts") or _preset(row)
        unknown = [name for name in wanted if name not in by_name]
        if unknown:
            message = _("There is no context “%(name)s”.")
            raise serializers.ValidationError(
                {"contexts": [message % {"name": name[:80]} for name in unknown]}
            )
        chosen = {}
        for context in wanted:
            item = row.offered[by_name[context]]
            if item["refused"]:
                raise serializers.ValidationError(
                    {"contexts": [f"{item['field']}: {item['refused']}"]}
                )
            alone = data.get("name") if len(wanted) == 1 else None
            name = alone or data["names"].get(context, item["name"])
            chosen[by_name[context]] = name
        for number, name in chosen.items():
            others = [other for n, other in chosen.items() if n != number]
            if problem := importing.name_problem(name, row, others):
                raise serializers.ValidationError({"names": [f"{name}: {problem}"]})
        return chosen


class ImportSerializer(serializers.ModelSerializer[ClusterImport]):
    """An import as far as it has come; nothing of what was given."""

    checks = serializers.SerializerMethodField()
    clusters = serializers.ListField(source="saved", child=serializers.IntegerField())

    class Meta:
        model = ClusterImport
        fields = ("id", "state", "problem", "checks", "clusters", "created", "expires")
        read_only_fields = fields

    def get_checks(self, row: ClusterImport) -> list[dict[str, Any]]:
        """One for each chosen context."""
        return [_check_of(item) for item in import_page.result_rows(row)]


class SaveSerializer(serializers.Serializer[Any]):
    """Whether to make a service account and keep its token instead of what was given."""

    exchange = serializers.BooleanField(default=False)


class ForgetSerializer(serializers.Serializer[Any]):
    """clean_up: whether to remove what the console made there first."""

    clean_up = serializers.BooleanField(default=True)


class ImportViewSet(mixins.RetrieveModelMixin, viewsets.GenericViewSet[ClusterImport]):
    """Check clusters, import them, and see how far an import has come."""

    serializer_class = ImportSerializer
    lookup_url_kwarg = "import_pk"
    lookup_value_regex = "[0-9]{1,18}"
    permissions = {
        "create": "clusters.import",
        "retrieve": "clusters.import",
        "save_import": "clusters.import",
    }
    queryset = ClusterImport.objects.all()

    def get_queryset(self) -> Any:
        """The caller's own imports whose time is not over."""
        rows = ClusterImport.objects.filter(expires__gt=timezone.now())
        return rows.filter(created_by=cast(User, self.request.user))

    @extend_schema(
        request=ImportRequestSerializer,
        parameters=[DRY_RUN],
        responses={200: ImportSerializer, 201: ImportSerializer, 202: ImportSerializer},
    )
    def create(self, request: Request) -> Response:
        """Check, then import. 202 when it takes longer than ten seconds: ask for the import then.

        With ?dry_run=true the check is answered (200) and nothing is saved.
        409 when a check was not good; the answer says what was found.
        """
        body = ImportRequestSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = importing.begin(body.found(), cast(User, request.user), request=request)
        try:
            _choose(row, body.chosen(row))
        except exceptions.APIException:
            importing.drop(row, "what was chosen of it was refused", request)
            raise
        dry = request.query_params.get("dry_run", "").lower() in ("1", "true", "yes")
        return _followed(row, request, dry, body.validated_data["exchange"])

    @extend_schema(request=SaveSerializer, responses={200: ImportSerializer, 202: ImportSerializer})
    @action(detail=True, methods=["post"], filter_backends=[], url_path="save", url_name="save")
    def save_import(self, request: Request, import_pk: str | None = None) -> Response:
        """Import what an earlier call checked (its answer was 202)."""
        row = self.get_object()
        body = SaveSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        return _saved(row, request, body.validated_data["exchange"])


class ImportedViewSet(viewsets.GenericViewSet[Cluster]):
    """What is done with imported clusters alone."""

    permissions = {"credentials": "clusters.import", "forget": "clusters.import"}
    permission_classes = (Declared, Confirmed)
    serializer_class = ClusterSerializer
    queryset = Cluster.objects.all()
    lookup_value_regex = "[0-9]{1,18}"

    def get_queryset(self) -> Any:
        """The imported clusters that the caller may see."""
        user = cast(User, self.request.user)
        return visible_clusters(user).filter(origin=Origin.IMPORTED)

    @extend_schema(
        request=GivenSerializer,
        parameters=[DRY_RUN],
        responses={200: ImportSerializer, 202: ImportSerializer},
    )
    @action(detail=True, methods=["post"], filter_backends=[])
    def credentials(self, request: Request, pk: str | None = None) -> Response:
        """Replace the credentials, after the same check; they have to be of the same cluster."""
        cluster = self.get_object()
        body = GivenSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        row = importing.begin(body.found(), cast(User, request.user), cluster, request)
        wanted = _preset(row)
        number = next(n for n, item in enumerate(row.offered) if item["context"] == wanted[0])
        _choose(row, {number: cluster.name})
        dry = request.query_params.get("dry_run", "").lower() in ("1", "true", "yes")
        return _followed(row, request, dry, body.validated_data["exchange"])

    @extend_schema(request=ForgetSerializer, responses={200: OpenApiTypes.OBJECT})
    @action(detail=True, methods=["post"], filter_backends=[])
    def forget(self, request: Request, pk: str | None = None) -> Response:
        """Forget the cluster; answers what is left in it and how to remove that by hand.

        tenant_namespaces: those that stay there and that no tenant has here any more.
        """
        cluster = self.get_object()
        body = ForgetSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        tenants = ending.dependents_of(cluster)
        left = forgetting.forget(
            cluster, clean_up=body.validated_data["clean_up"], request=request._request
        )
        return Response(
            {
                "left": [{"kind": item.kind, "name": item.name} for item in left.made],
                "away": left.away,
                "commands": left.commands,
                "tenant_namespaces": [asdict(one) for one in tenants],
            }
        )


def register(router: BaseRouter) -> None:
    """Add clusters/import/ and the actions of imported clusters."""
    router.register("clusters/import", ImportViewSet, basename="cluster-import")
    router.register("clusters", ImportedViewSet, basename="imported-cluster")


def _preset(row: ClusterImport) -> list[str]:
    """The only usable context, or the current one. Invalid when neither is there."""
    usable = [item for item in row.offered if not item["refused"]]
    if len(usable) == 1:
        return [usable[0]["context"]]
    current = [item["context"] for item in usable if item["current"]]
    if not current:
        names = ", ".join(item["context"] for item in usable)[:300]
        message = _("Name the contexts to be taken: %s.") % names
        raise serializers.ValidationError({"contexts": [message]})
    return current


def _choose(row: ClusterImport, names: dict[int, str]) -> None:
    try:
        importing.choose(row, names)
    except importing.Rejected as rejected:
        raise serializers.ValidationError({"contexts": [str(rejected)]}) from None


def _followed(row: ClusterImport, request: Request, dry: bool, exchange: bool) -> Response:
    """Wait for the check; then answer it, or save what was good."""
    _wait(row)
    if row.moving:
        return Response(ImportSerializer(row).data, status=status.HTTP_202_ACCEPTED)
    if dry:
        answer = ImportSerializer(row).data
        importing.drop(row, "it was to be checked only", request)
        return Response(answer)
    bad = [item for item in row.results if not item["ok"]]
    if bad or row.problem:
        text = " ".join(f"{item['problem']} {item['mend']}".strip() for item in bad)
        importing.drop(row, "a check was not good", request)
        raise Conflict(text or row.problem)
    return _saved(row, request, exchange)


def _saved(row: ClusterImport, request: Request, exchange: bool) -> Response:
    try:
        if not exchange:
            importing.save(row, request._request)
        else:
            importing.want_exchange(row)
            _wait(row)
            if row.moving:
                return Response(ImportSerializer(row).data, status=status.HTTP_202_ACCEPTED)
    except importing.Rejected as rejected:
        importing.note_failure(row, str(rejected), request._request)
        raise Conflict(str(rejected)) from None
    row.refresh_from_db()
    if row.state != ImportState.SAVED:
        raise Conflict(row.problem)
    code = status.HTTP_200_OK if row.cluster_id else status.HTTP_201_CREATED
    rows = clusters_with_nodes().filter(pk__in=row.saved)
    answer = {**ImportSerializer(row).data, "results": ClusterSerializer(rows, many=True).data}
    return Response(answer, status=code)


def _wait(row: ClusterImport) -> None:
    """Until the watcher has done its part, at most ten seconds; it does the talking."""
    ends = time.monotonic() + WAIT_SECONDS
    while True:
        row.refresh_from_db()
        if not row.moving or time.monotonic() > ends:
            return
        time.sleep(LOOK_SECONDS)


def _check_of(item: import_page.ResultRow) -> dict[str, Any]:
    result = item.result
    return {
        "name": item.name,
        "server": item.server,
        "ok": result["ok"],
        "checked": not result["waiting"],
        "problem": result["problem"],
        "mend": result["mend"],
        "version": result["version"],
        "uid": result["uid"],
        "same_as": result["twin"],
        "credentials_expire": item.expires,
        "rights": [
            {
                "id": right.need.id,
                "purpose": str(right.need.purpose),
                "state": {"ok": "allowed", "denied": "refused"}.get(right.state, "unknown"),
                "missing": right.refused,
            }
            for right in item.rights
        ],
    }
