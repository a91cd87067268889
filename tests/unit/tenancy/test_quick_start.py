"""The quick start: fields to manifests and back, and what the form refuses."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clusters.manifest_text import read
from tenancy import quick_start
from tenancy.fit_security import violations
from tenancy.forms_quick_start import QuickStartForm, initial_of, new_one
from tenancy.models import Namespace, Tenant
from tenancy.quick_start import App, Variable, app_of, manifests
from tests.factories import ClusterFactory, ObjectFactory

LEVELS = ("privileged", "baseline", "restricted")
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
TEXTS = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\x00\r"), max_size=60
) | st.sampled_from(("yes", "1", "null", "~", "1e3", "0x1f", "22:22", "$(X)", "a: b", "- x", " "))
VARIABLES = st.builds(Variable, st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), TEXTS)
APPS = st.builds(
    App,
    name=NAMES,
    image=st.sampled_from(("nginx", "registry.example:5000/a/b_c:1.2", "a/b@sha256:" + "0" * 64)),
    command=st.lists(TEXTS, max_size=3).map(tuple),
    arguments=st.lists(TEXTS, max_size=3).map(tuple),
    replicas=st.integers(0, 1),
    port=st.just(8080),
    service_port=st.none() | st.integers(1, 65535),
    cpu_request=st.sampled_from(("", "100m")),
    cpu_limit=st.sampled_from(("", "1")),
    memory_request=st.sampled_from(("", "64Mi")),
    memory_limit=st.sampled_from(("", "1Gi")),
    environment=st.lists(VARIABLES, max_size=4, unique_by=lambda v: v.name).map(tuple),
    run_as_user=st.none() | st.just(1000),
    mount_path=st.just("/data"),
    volume_size=st.just("1Gi"),
    storage_class=st.sampled_from(("", "fast")),
)


class TestManifests:
    @settings(max_examples=50)
    @given(APPS, st.sampled_from(LEVELS))
    def test_they_are_read_back_to_the_same_fields(self, app: App, level: str) -> None:
        objects = [one.body for one in read(quick_start.text(app, level))]
        assert objects == manifests(app, level)
        assert app_of(objects) == app
        assert all(quick_start.is_ours(one) for one in objects)

    @pytest.mark.parametrize("level", LEVELS)
    def test_its_pods_keep_to_the_level(self, level: str) -> None:
        app = App("web", "nginx", port=80, service_port=80, mount_path="/data", volume_size="1Gi")
        (deployment,) = (one for one in manifests(app, level) if one["kind"] == "Deployment")
        assert violations(level, deployment["spec"]["template"], 30) == []

    def test_an_ingress_leads_to_the_service(self) -> None:
        app = App("web", "nginx", port=8080, service_port=80, host="a.example", ingress_class="x")
        ingress = manifests(app, "baseline")[-1]
        assert ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"] == {
            "service": {"name": "web", "port": {"number": 80}}
        }
        assert app_of(manifests(app, "baseline")) == app


@pytest.fixture
def namespace(db: None) -> Namespace:
    tenant = Tenant.objects.create(
        name="Shop", slug="shop", registries=["registry.example/shop"],
        ingress_classes=["public"], storage_classes=["fast"],
    )  # fmt: skip
    return Namespace.objects.create(
        tenant=tenant, cluster=ClusterFactory(name="east"), name="web", applied_revision=1,
        limits={"cpu": {"request": "100m", "limit": "1"}, "memory": {"limit": "64Mi"}},
    )  # fmt: skip


def form(namespace: Namespace, **fields: object) -> QuickStartForm:
    sent = {"name": "cart", "image": "registry.example/shop/cart:1", "port": "80"}
    return QuickStartForm({**new_one(namespace), **sent, **fields}, namespace=namespace)


class TestForm:
    def test_it_begins_with_what_containers_get_here(self, namespace: Namespace) -> None:
        html = QuickStartForm(namespace=namespace).as_p()
        for value in ("100m", "64Mi"):
            assert f'value="{value}"' in html
        found = form(namespace)
        assert found.is_valid(), found.errors
        assert (found.app.cpu_limit, found.app.memory_request) == ("1", "64Mi")
        assert found.app.service_port == 80

    @pytest.mark.parametrize(
        ("fields", "where", "said"),
        [
            ({"name": "Cart"}, "name", "lower-case"),
            ({"name": "1cart"}, "name", "begins with a letter"),
            ({"image": "nginx"}, "image", "registry.example/shop"),
            ({"image": "registry.example/shopping/x"}, "image", "none of the tenant's registries"),
            ({"image": "a b"}, "image", "no name of an image"),
            ({"image": "registry.example/shop/x:$(id)"}, "image", "no name of an image"),
            ({"cpu_request": "lots"}, "cpu_request", "no amount of CPU"),
            ({"memory_request": "1Q"}, "memory_request", "no amount of bytes"),
            ({"memory_request": "-1"}, "memory_request", "negative"),
            ({"cpu_request": "2", "cpu_limit": "1"}, "cpu_limit", "is below what it asks for (2"),
            ({"replicas": "-1"}, "replicas", "0"),
            ({"replicas": "2", "mount_path": "/d", "volume_size": "1Gi"}, "replicas", "One pod"),
            ({"command": "sh -c 'x"}, "command", "left open"),
            ({"port": ""}, "port", "needs the port"),
            ({"port": "65536"}, "port", "65535"),
            ({"host": "a_b"}, "host", "no host name"),
            ({"host": "a.example", "ingress_class": "other"}, "ingress_class", "other"),
            ({"host": "a.example", "path": "/../x"}, "path", "begins with /"),
            ({"mount_path": "/"}, "mount_path", "cannot be kept"),
            ({"mount_path": "/d", "volume_size": ""}, "volume_size", "How large"),
            ({"mount_path": "/d", "volume_size": "1Gi", "storage_class": "slow"},
             "storage_class", "slow"),
            ({"env_0_name": "1A"}, "env_0_name", "no digit first"),
            ({"env_0_name": "A", "env_1_name": "A"}, "env_1_name", "twice"),
            ({"env_0_name": "A", "env_0_secret": "s"}, "env_0_key", "belong together"),
            ({"env_0_name": "A", "env_0_value": "x\ud800"}, "env_0_value", "UTF-8"),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_said_beside_its_field(
        self, namespace: Namespace, fields: dict, where: str, said: str
    ) -> None:
        found = form(namespace, **fields)
        assert not found.is_valid()
        assert said in " ".join(found.errors.get(where, ())), found.errors

    @settings(max_examples=30)
    @given(st.lists(VARIABLES, max_size=4, unique_by=lambda v: v.name), st.lists(TEXTS, max_size=3))
    def test_what_was_deployed_is_in_the_form_again(
        self, variables: list[Variable], words: list[str]
    ) -> None:
        tenant = Tenant(storage_classes=["fast"], ingress_classes=["public"])
        namespace = Namespace(tenant=tenant, cluster_id=1, name="web")
        app = App(
            "cart", "nginx:1", command=tuple(words), port=80, service_port=81,
            environment=tuple(variables),
        )  # fmt: skip
        found = QuickStartForm(initial_of(app), namespace=namespace)
        assert found.is_valid(), found.errors
        assert found.app == app

    def test_a_host_of_another_namespace_is_not_taken_over(self, namespace: Namespace) -> None:
        for where, host in (("other", "taken.example"), ("web", "own.example")):
            ObjectFactory(
                cluster=namespace.cluster, namespace=where, name="i", kind="Ingress",
                resource="ingresses.networking.k8s.io", summary={"hosts": [host]},
            )  # fmt: skip
        found = form(namespace, host="Taken.example", ingress_class="public")
        assert "taken by another namespace" in " ".join(found.errors["host"])
        for host in ("own.example", "aken.example"):
            assert form(namespace, host=host, ingress_class="public").is_valid()

    def test_without_ingress_classes_none_is_offered(self, namespace: Namespace) -> None:
        namespace.tenant.ingress_classes = []
        found = form(namespace, host="a.example")
        assert found.is_valid() and found.app.host == ""
