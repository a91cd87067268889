"""Rows for tests, each valid as it is; give only what the test is about."""

from __future__ import annotations

import factory
from django.contrib.auth.hashers import make_password

from clusters.models import Cluster, ClusterSecret, ClusterStatus, Node, Object, Origin, Profile
from console.accounts.models import Role, User
from provisioning.models import Host, HostState, KeyKind, Release, ReleaseState, SSHCredential, Task

PASSWORD = "correct horse battery staple"


class UserFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    password = factory.LazyFunction(lambda: make_password(PASSWORD))
    role = Role.NONE


class SSHCredentialFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = SSHCredential

    name = factory.Sequence(lambda n: f"key{n}")
    kind = KeyKind.ED25519
    public_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBp0example flotilla"
    fingerprint = "SHA256:example"
    private_key = "not a real key"


class ClusterFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Cluster

    name = factory.Sequence(lambda n: f"cluster{n}")
    origin = Origin.PROVISIONED
    profile = Profile.LIGHTWEIGHT
    status = ClusterStatus.ACTIVE
    endpoint = "https://10.30.0.11:6443"
    version = "v1.20.2"
    pod_cidr = "10.244.0.0/16"
    service_cidr = "10.96.0.0/16"


class ClusterSecretFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = ClusterSecret

    cluster = factory.SubFactory(ClusterFactory)
    name = "ca.key"
    value = "not a real key"


class NodeFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Node

    cluster = factory.SubFactory(ClusterFactory)
    name = factory.Sequence(lambda n: f"node{n}")
    ready = True


class ObjectFactory(factory.django.DjangoModelFactory):
    """A Deployment unless kind, resource and api_version say otherwise."""

    class Meta:
        model = Object

    cluster = factory.SubFactory(ClusterFactory)
    resource = "deployments.apps"
    api_version = "apps/v1"
    kind = "Deployment"
    namespace = "shop"
    name = factory.Sequence(lambda n: f"object{n}")
    uid = factory.Sequence(lambda n: f"uid-{n}")


class HostFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Host

    name = factory.Sequence(lambda n: f"host{n}")
    address = factory.Sequence(lambda n: f"10.40.{n // 250}.{n % 250 + 1}")
    credential = factory.SubFactory(SSHCredentialFactory)
    host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBp0hostkey"
    state = HostState.READY


class ReleaseFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Release

    version = factory.Sequence(lambda n: f"v1.20.{n}")
    source = "bundle"
    state = ReleaseState.READY


class TaskFactory(factory.django.DjangoModelFactory):
    class Meta:
        model = Task

    operation = "check_hosts"
    title = factory.Sequence(lambda n: f"Check hosts {n}")
