"""Proofs of namespaces' isolation over REST: actions of namespaces/."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from console.ui.api_problems import Conflict
from tenancy import proof_actions
from tenancy.models import IsolationProof
from tenancy.permissions import NAMESPACES
from tenancy.views_namespaces import namespace_or_404


class TrySerializer(serializers.Serializer[Any]):
    """One try: exit code of the command, seconds, and what it printed."""

    code = serializers.IntegerField()
    seconds = serializers.FloatField()
    output = serializers.CharField()


class AttemptSerializer(serializers.Serializer[Any]):
    """One line of the matrix."""

    id = serializers.CharField()
    # "source" and "required" are names of a field's own options, too.
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="own, peer, stranger, node or other"
    )
    target = serializers.CharField(help_text="own, peer, stranger, dns, outside or other")
    from_name = serializers.CharField()
    to_name = serializers.CharField()
    address = serializers.CharField()
    port = serializers.IntegerField()
    protocol = serializers.CharField()
    expected = serializers.ChoiceField(["pass", "deny", "either"])
    why = serializers.CharField()
    control = serializers.CharField(help_text="the attempt that shows that the target answers")
    required = serializers.BooleanField(  # type: ignore[assignment]
        help_text="without it nothing is proved"
    )
    outcome = serializers.ChoiceField(["passed", "denied", "untried"])
    cause = serializers.CharField(help_text="why it could not be tried")
    command = serializers.CharField()
    tries = TrySerializer(many=True)
    where = serializers.DictField(
        child=serializers.CharField(), required=False, help_text="the prober's node and address"
    )


class ProofSerializer(serializers.ModelSerializer[IsolationProof]):
    """One proof with its evidence. stale: why it no longer counts, "" while it does."""

    attempts = AttemptSerializer(many=True, read_only=True)
    log = serializers.ListField(
        child=serializers.ListField(child=serializers.CharField()), read_only=True
    )
    stale = serializers.SerializerMethodField()

    class Meta:
        model = IsolationProof
        fields = (
            "id", "namespace", "namespace_name", "cluster", "isolation", "state", "verdict",
            "reason", "stale", "canceled", "by_name", "created", "ended", "attempts", "log",
        )  # fmt: skip
        read_only_fields = fields

    def get_stale(self, proof: IsolationProof) -> str:
        """By the namespace as it is now."""
        if proof.running or proof.namespace is None:
            return ""
        return proof_actions.stale(proof, proof.namespace)


class ProofActions:
    """What namespaces/{id}/ has of proofs; everybody who sees a namespace sees its proofs."""

    @extend_schema(responses=ProofSerializer(many=True))
    @action(detail=True, methods=["get"], pagination_class=None, filterset_class=None)
    def proofs(self, request: Request, pk: str | None = None) -> Response:
        """The proofs of its isolation, newest first; only the last ones are kept."""
        row = namespace_or_404(request.user, int(pk or 0))
        found = row.proofs.select_related("namespace__tenant", "namespace__cluster")
        return Response(ProofSerializer(found, many=True).data)

    @extend_schema(request=None, responses={202: ProofSerializer, 409: None})
    @proofs.mapping.post
    def prove(self, request: Request, pk: str | None = None) -> Response:
        """Have it proved. 409 where there is nothing to prove, or a proof is running."""
        user: Any = request.user
        row = namespace_or_404(user, int(pk or 0), NAMESPACES)
        try:
            proof = proof_actions.start(row, by=user, request=request)
        except proof_actions.ProofRefusedError as error:
            raise Conflict(str(error)) from error
        return Response(ProofSerializer(proof).data, status=status.HTTP_202_ACCEPTED)

    @extend_schema(request=None, responses={202: ProofSerializer, 409: None})
    @action(detail=True, methods=["post"], url_path="proofs/cancel")
    def cancel_proof(self, request: Request, pk: str | None = None) -> Response:
        """End the running proof; its pods go with it. 409 where none is running."""
        user: Any = request.user
        row = namespace_or_404(user, int(pk or 0), NAMESPACES)
        proof = row.proofs.select_related("namespace__tenant").filter(ended=None).first()
        if proof is None:
            raise Conflict(_("No proof is running."))
        try:
            proof_actions.cancel(proof, by=user, request=request)
        except proof_actions.ProofRefusedError as error:
            raise Conflict(str(error)) from error
        proof.refresh_from_db()
        return Response(ProofSerializer(proof).data, status=status.HTTP_202_ACCEPTED)
