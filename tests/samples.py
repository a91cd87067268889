"""One existing row for every kind of address, for tests that visit them all."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from django.contrib.auth.models import Group
from django.utils import timezone

from clusters.models import (
    ClusterImport,
    ControlPlaneHealth,
    Object,
    Origin,
    ResourcePool,
    WatchedKind,
)
from console.accounts.models import ApiToken, Role, User
from console.audit.models import Archive, AuditEvent, SavedView, Stream, Verification
from console.audit.record import record
from console.notices.models import Channel, Delivery, Notice, Rule
from console.notices.telling import tell
from provisioning.models import TaskStatus
from provisioning.models_snapshots import Snapshot
from tenancy import members
from tenancy.models import ApprovalPolicy, Membership, Namespace, Tenant, TenantCluster, TenantRole
from tests.factories import (
    ClusterFactory,
    HostFactory,
    NodeFactory,
    ObjectFactory,
    ReleaseFactory,
    SSHCredentialFactory,
    TaskFactory,
    UserFactory,
)
from tests.routes import Route

# What no row has: a number beyond all keys, for texts too.
GONE: dict[str, Any] = defaultdict(lambda: 987654321)


# Addresses that only imported clusters have.
IMPORTED = ("/credentials", "/forget", "/there")


DEPLOYMENTS = "deployments.apps"


class Samples:
    """Rows by the first word of an address; a new kind of address needs its line here."""

    def __init__(self) -> None:
        self.cluster = ClusterFactory(name="sample")
        NodeFactory(cluster=self.cluster)
        # A pod, with nothing behind it: without credentials nobody is called.
        Object.objects.create(
            cluster=self.cluster, resource="pods", api_version="v1", kind="Pod",
            namespace="default", name="web",
        )  # fmt: skip
        ControlPlaneHealth.objects.create(cluster=self.cluster)
        self.pool = ResourcePool.objects.create(cluster=self.cluster, name="sample")
        # Addresses of objects name a pod, a Deployment or a node, all of one name.
        ObjectFactory(cluster=self.cluster, namespace="default", name="web")
        ObjectFactory(
            cluster=self.cluster, resource="nodes", api_version="v1", kind="Node", namespace="",
            name="web",
        )  # fmt: skip
        # A kind that is named as the sample's Deployments are.
        WatchedKind.objects.create(
            cluster=self.cluster, group="apps", version="v1", plural="deployments",
            kind="Deployment",
        )  # fmt: skip
        self.snapshot = Snapshot.objects.create(cluster=self.cluster)
        self.credential = SSHCredentialFactory(name="sample")
        self.host = HostFactory(name="sample", credential=self.credential)
        self.release = ReleaseFactory()
        self.task = TaskFactory(cluster=self.cluster, status=TaskStatus.FAILED)
        self.person = UserFactory(username="sample")
        self.event = record("user.created", self.person)
        now = timezone.now()
        self.archive = Archive.objects.create(
            start=0, end=1, first_time=now, last_time=now, file="sample.jsonl.gz", bytes=1, time=now
        )
        self.channel = Channel.objects.create(
            name="sample", type="webhook", address="https://127.0.0.1/hook", secret="whsec_sample"
        )
        self.stream = Stream.objects.create(
            name="sample", kind="webhook", address="https://127.0.0.1/hook", secret="whsec_sample"
        )
        self.rule = Rule.objects.create(channel=self.channel)
        values = {"name": "sample", "reason": "sample"}
        self.notice = tell("cluster.away", "cluster/sample", values, "critical")
        self.delivery = Delivery.objects.get(notice=self.notice)
        self.imported = ClusterFactory(name="sample-imported", origin=Origin.IMPORTED, endpoint="")
        self.group = Group.objects.create(name="sample")
        self.group.user_set.add(self.person)
        self.founder = UserFactory(username="founder", role=Role.ADMIN)
        self.policy = ApprovalPolicy.objects.create(name="sample", most={"pods": "1"})
        self._tenants: dict[int, Tenant] = {}
        self._tokens: dict[int, ApiToken] = {}
        self._imports: dict[int, ClusterImport] = {}

    def token_of(self, user: User | None) -> ApiToken:
        """A token that the user owns; somebody's for a visitor."""
        owner = user or self.person
        if owner.pk not in self._tokens:
            self._tokens[owner.pk] = ApiToken.issue(owner, "sample")[0]
        return self._tokens[owner.pk]

    def view_of(self, user: User | None) -> SavedView:
        """A saved view that the user owns; somebody's for a visitor."""
        owner = user or self.person
        return SavedView.objects.get_or_create(owner=owner, name="sample", query="who=sample")[0]

    def import_of(self, user: User | None) -> ClusterImport:
        """An import that the user began; somebody's for a visitor."""
        owner = user or self.person
        if owner.pk not in self._imports:
            self._imports[owner.pk] = ClusterImport.objects.create(created_by=owner)
        return self._imports[owner.pk]

    def tenant_of(self, user: User | None) -> Tenant:
        """A tenant that the user owns, with a cluster; somebody's for a visitor."""
        owner = user or self.founder
        known = self._tenants.get(owner.pk)
        if known is None or not Tenant.objects.filter(pk=known.pk).exists():
            slug = f"sample-{owner.pk}"
            tenant = self._tenants[owner.pk] = Tenant.objects.create(name=slug, slug=slug)
            TenantCluster.objects.create(tenant=tenant, cluster=self.cluster)
            for person, role in ((owner, TenantRole.OWNER), (self.person, TenantRole.VIEWER)):
                members.set_role(tenant, person, role, by=self.founder)
        return self._tenants[owner.pk]

    def namespace_of(self, user: User | None) -> Namespace:
        """A namespace of the tenant that the user owns, which somebody changed by hand."""
        tenant = self.tenant_of(user)
        return Namespace.objects.get_or_create(
            tenant=tenant, cluster=self.cluster, name=tenant.slug,
            defaults={
                "drift": [{"kind": "ResourceQuota", "name": "x", "diff": "-a", "live": "1"}],
                "applied_revision": 1,
            },
        )[0]  # fmt: skip

    def notice_of(self, user: User | None) -> Notice:
        """What everybody with a role sees; for who has none, a notice of their own."""
        if user is None or user.role:
            return self.notice
        return Notice.objects.create(kind="cluster.away", occurred=timezone.now(), owner=user)

    def arguments(self, route: Route, user: User | None) -> dict[str, Any]:
        """The arguments of the address for an existing row (the user's own where it is owned)."""
        word = route.path.removeprefix("api/v1/").removeprefix("settings/").split("/")[0]
        rows = {
            "clusters": self.cluster,
            "pools": self.pool,
            "snapshots": self.snapshot,
            "hosts": self.host,
            "credentials": self.credential,
            "releases": self.release,
            "tasks": self.task,
            "users": self.person,
            "audit-events": self.event,
            "audit-streams": self.stream,
            "audit-archives": self.archive,
            "audit": self.view_of(user) if "views" in route.path else self.event,
            "notices": self.notice_of(user),
            "notice-channels": self.channel,
            "notice-rules": self.rule,
            "notice-deliveries": self.delivery,
            "tokens": self.token_of(user),
            "groups": self.group,
        }
        values: dict[str, Any] = {
            "tab": "related" if "resource" in route.arguments else "nodes",
            "rest": "nothing-of-this-name/", "revision": 1,
            "resource": "pods" if "log" in route.path or "terminal" in route.path else DEPLOYMENTS,
            "namespace": "default", "name": "web", "kind": "webhook", "start": self.archive.pk,
        }  # fmt: skip
        if word == "namespaces":
            values["pk"] = self.namespace_of(user).pk
        if word == "kubeconfigs":
            namespace = self.namespace_of(user)
            given = namespace.kubeconfigs.get_or_create(
                cluster=self.cluster, tenant=namespace.tenant, user=user or self.founder,
                defaults={"expires": timezone.now()},
            )[0]  # fmt: skip
            values["pk"] = namespace.pk if "new" in route.path else given.pk
        if word == "requests":
            tenant = self.tenant_of(user)
            values["slug"] = tenant.slug
            wish = tenant.requests.create(
                kind="membership", by=user, wish={"user": "sample", "role": "viewer"}
            )
            values["pk"] = self.policy.pk if "policies" in route.path else wish.pk
        if word == "tenants":
            tenant = self.tenant_of(user)
            # A test that visits them all in turn has removed them a few addresses before.
            mine = Membership.objects.filter(tenant=tenant, user=self.person).first()
            member = mine or members.set_role(
                tenant, self.person, TenantRole.VIEWER, by=self.founder
            )
            values |= {
                "slug": tenant.slug, "tenant": tenant.slug, "member": member.pk,
                "cluster": self.cluster.pk, "scope": self.cluster.pk,
                "event": AuditEvent.objects.filter(tenant_key=tenant.pk).latest("pk").pk,
                # Of a page below a tenant's it is a member's.
                "pk": member.pk if "slug" in route.arguments else tenant.pk,
            }  # fmt: skip
        if word == "audit" and "streams" in route.path:
            rows["audit"] = self.stream
        if "verifications" in route.path:
            # A test that visits them all in turn has canceled it an address before.
            waiting = Verification.objects.filter(state="waiting").first()
            verification = waiting or Verification.objects.create(by=self.person)
            rows["audit"] = rows["audit-verifications"] = verification
        if word == "groups":
            values["user_pk"] = self.person.pk
        if "import" in route.path:
            values["number"] = values["import_pk"] = self.import_of(user).pk
        if word == "clusters" and route.path.rstrip("/").endswith(IMPORTED):
            rows["clusters"] = self.imported
        if word in rows:
            values["pk"] = rows[word].pk
        missing = [name for name in route.arguments if name not in values]
        assert not missing, (
            f"tests/samples.py knows no row for {', '.join(missing)} of {route}: add one, "
            "so that the permissions of this address are tried."
        )
        return values
