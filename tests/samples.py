"""One existing row for every kind of address, for tests that visit them all."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from clusters.models import ControlPlaneHealth
from console.accounts.models import ApiToken, User
from console.audit.record import record
from provisioning.models import TaskStatus
from provisioning.models_snapshots import Snapshot
from tests.factories import (
    ClusterFactory,
    HostFactory,
    NodeFactory,
    ReleaseFactory,
    SSHCredentialFactory,
    TaskFactory,
    UserFactory,
)
from tests.routes import Route

# What no row has: a number beyond all keys, for texts too.
GONE: dict[str, Any] = defaultdict(lambda: 987654321)


class Samples:
    """Rows by the first word of an address; a new kind of address needs its line here."""

    def __init__(self) -> None:
        self.cluster = ClusterFactory(name="sample")
        NodeFactory(cluster=self.cluster)
        ControlPlaneHealth.objects.create(cluster=self.cluster)
        self.snapshot = Snapshot.objects.create(cluster=self.cluster)
        self.credential = SSHCredentialFactory(name="sample")
        self.host = HostFactory(name="sample", credential=self.credential)
        self.release = ReleaseFactory()
        self.task = TaskFactory(cluster=self.cluster, status=TaskStatus.FAILED)
        self.person = UserFactory(username="sample")
        self.event = record("user.created", self.person)
        self._tokens: dict[int, ApiToken] = {}

    def token_of(self, user: User | None) -> ApiToken:
        """A token that the user owns; somebody's for a visitor."""
        owner = user or self.person
        if owner.pk not in self._tokens:
            self._tokens[owner.pk] = ApiToken.issue(owner, "sample")[0]
        return self._tokens[owner.pk]

    def arguments(self, route: Route, user: User | None) -> dict[str, Any]:
        """The arguments of the address for an existing row (the user's own where it is owned)."""
        word = route.path.removeprefix("api/v1/").removeprefix("settings/").split("/")[0]
        rows = {
            "clusters": self.cluster,
            "snapshots": self.snapshot,
            "hosts": self.host,
            "credentials": self.credential,
            "releases": self.release,
            "tasks": self.task,
            "users": self.person,
            "audit-events": self.event,
            "tokens": self.token_of(user),
        }
        values: dict[str, Any] = {"tab": "nodes", "rest": "nothing-of-this-name/"}
        if word in rows:
            values["pk"] = rows[word].pk
        missing = [name for name in route.arguments if name not in values]
        assert not missing, (
            f"tests/samples.py knows no row for {', '.join(missing)} of {route}: add one, "
            "so that the permissions of this address are tried."
        )
        return values
