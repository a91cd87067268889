"""A tenant's people follow every link that they are shown: none is refused, no page is bare."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest
from django.test import Client
from django.utils import timezone

from clusters.models import Cluster
from console.accounts.models import User
from tenancy import request_actions
from tenancy.models import GivenKubeconfig, Tenant
from tenancy.request_actions import Wish
from tests.conftest import signed_in
from tests.factories import ClusterFactory
from tests.unit.tenancy.namespace_rows import limited, namespace_of, tenant_of
from tests.unit.tenancy.people import make_tenant, member
from tests.unit.tenancy.quota_rows import pod

pytestmark = pytest.mark.django_db
MOST = 150
LEAST_WORDS = 3


def shape(path: str) -> str:
    """Pages of one kind have one shape: their numbers and what is asked for differ."""
    parts = urlsplit(path)
    names = sorted(set(re.findall(r"(?:^|&)([^=&]+)=", parts.query)))
    return re.sub(r"/\d+(?=/)", "/N", parts.path) + "?" + "&".join(names)


def main_of(text: str) -> str:
    found = re.search(r"<main\b.*?</main>", text, re.S)
    assert found, text[:500]
    return found[0]


def bare(text: str) -> str:
    """Why a page says too little; "" when it is well."""
    main = main_of(text)
    for empty in re.findall(r'<div class="empty".*?</div>\s*</div>', main, re.S):
        if 'class="empty-subtitle' not in empty and "<p" not in empty:
            return "an empty list without a word of why"
    body = re.sub(r"<h1.*?</h1>|<script.*?</script>|<[^>]+>", " ", main, flags=re.S)
    return "" if len(unescape(body).split()) >= LEAST_WORDS else "nothing but its title"


def walk(client: Client) -> dict[str, str]:
    """{address: what is wrong with it} of all pages that links lead to from the first one."""
    waiting, known, wrong = ["/"], {shape("/")}, {}
    while waiting:
        assert len(known) < MOST, sorted(known)
        path = waiting.pop(0)
        answer = client.get(path, follow=True)
        if answer.status_code >= 400:
            wrong[path] = str(answer.status_code)
            continue
        if "text/html" not in answer.headers["Content-Type"]:
            continue
        text = answer.content.decode()
        if why := bare(text):
            wrong[path] = why
        here = answer.redirect_chain[-1][0] if answer.redirect_chain else path
        for href in re.findall(r'<a\b[^>]*\bhref="([^"]+)"', text):
            to = urljoin(here, unescape(href)).partition("#")[0]
            if to.endswith("/log.txt"):
                continue  # asks the cluster, and there is none
            if to.startswith("/") and not to.startswith("//") and shape(to) not in known:
                known.add(shape(to))
                waiting.append(to)
    return wrong


@pytest.fixture
def shop(admin: User) -> Tenant:
    """A tenant with something of everything."""
    cluster: Cluster = ClusterFactory(name="east", seen=timezone.now())
    tenant = tenant_of(cluster)
    limited(tenant, pods="10", requests_cpu="4")
    row = namespace_of(
        tenant, cluster, quota={"pods": "2"}, applied_revision=1, state="drifted",
        drift=[{"kind": "ResourceQuota", "name": "flotilla", "live": "x", "accepted": False,
                "diff": "-    pods: '2'\n+    pods: '9'"}],
    )  # fmt: skip
    pod(row, cpu_request=0.5)
    dora = member(tenant, "developer", "dora")
    member(tenant, "owner", "olga")
    member(tenant, "viewer", "vera")
    request_actions.ask(tenant, Wish("quota", wish={"pods": "1"}), by=dora)
    GivenKubeconfig.objects.create(
        tenant=tenant, namespace=row, cluster=cluster, namespace_name="web", user=dora,
        user_name="dora", role="developer", expires=timezone.now(),
    )  # fmt: skip
    return tenant


@pytest.mark.parametrize("name", ["olga", "dora", "vera"])
def test_every_link_leads_to_a_page_that_says_something(shop: Tenant, name: str) -> None:
    assert walk(signed_in(User.objects.get(username=name))) == {}


@pytest.mark.parametrize("role", ["owner", "developer", "viewer"])
def test_a_tenant_that_has_nothing_yet_is_explained(role: str) -> None:
    assert walk(signed_in(member(make_tenant("empty"), role, "ed"))) == {}


def test_who_was_a_member_walks_without_a_refusal_and_sees_nothing_of_it(shop: Tenant) -> None:
    dora = User.objects.get(username="dora")
    row = shop.namespaces.get()
    shop.memberships.get(user=dora).delete()
    shop.user_permissions.filter(user=dora).delete()
    client = signed_in(dora)
    assert walk(client) == {}
    for path in (f"/tenants/{shop.slug}/", f"/namespaces/{row.pk}/"):
        assert client.get(path).status_code == 404
