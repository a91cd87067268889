"""An auditor and a few notices, for people who may not do everything: adds to scene people."""

from __future__ import annotations

import django

django.setup()

from clusters.models import Cluster  # noqa: E402
from console.accounts.models import Role, User  # noqa: E402
from console.notices.telling import Subject, tell  # noqa: E402
from tests.browser.scene import PASSWORD  # noqa: E402


def main() -> None:
    """Somebody with the role auditor, and a cluster that is told to be away."""
    user = User(username="audrey", role=Role.AUDITOR)
    user.set_password(PASSWORD)
    user.save()
    cluster = Cluster.objects.exclude(name="first").first()
    if cluster is not None:
        values = {"name": cluster.name, "reason": "connection refused"}
        subject = Subject("cluster", str(cluster.pk), cluster.name, cluster.name)
        tell("cluster.away", f"cluster/{cluster.pk}", values, "critical",
             f"/clusters/{cluster.pk}/", subject=subject, permission="clusters.view")  # fmt: skip


main()
