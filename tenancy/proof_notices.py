"""What is told of proofs: an isolation that was enforced, and is no more."""

from __future__ import annotations

from console.notices.models import Severity
from console.notices.telling import Subject, over, page, tell
from tenancy.audiences import holders
from tenancy.models import IsolationProof, Namespace, Verdict
from tenancy.permissions import NAMESPACES

LOST = "isolation.lost"


def tell_of(proof: IsolationProof, row: Namespace) -> None:
    """Say what a proof that just ended changes, in the caller's transaction.

    What never was enforced is no news: it stands on the namespace's page.
    """
    key = f"namespace/{row.pk}"
    if proof.verdict == Verdict.ENFORCED:
        over(LOST, key)
    elif (
        proof.verdict == Verdict.NOT_ENFORCED
        and row.proofs.filter(verdict=Verdict.ENFORCED, isolation=proof.isolation).exists()
    ):
        values = {
            "namespace": row.name, "cluster": row.cluster.name, "tenant": row.tenant.name,
        }  # fmt: skip
        tell(
            LOST, key, values, Severity.CRITICAL, page("namespaces:namespace", row.pk),
            subject=Subject("namespace", str(row.pk), row.name, row.cluster.name), owner=proof.by,
            audience=holders(row.tenant_id, NAMESPACES),
        )  # fmt: skip
