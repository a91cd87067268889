"""Tenants serve themselves, as admin, owner and developer see it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import expect

from clusters.kube import Connection
from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks, check_page
from tests.integration import api_server
from tests.integration.api_server import RealApiServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

PAGES = {
    "tenants": "/tenants/",
    "tenant": "/tenants/shop/",
    "members": "/tenants/shop/members/",
    "clusters": "/tenants/shop/clusters/",
    "settings": "/tenants/shop/settings/",
    "tenant-edit": "/tenants/shop/edit/",
    "quota": "/tenants/shop/quota/",
    "tenant-delete": "/tenants/shop/delete/",
    "namespaces": "/namespaces/",
    "namespace": "/namespaces/{namespace}/",
    "namespace-edit": "/namespaces/{namespace}/edit/",
    "namespace-delete": "/namespaces/{namespace}/delete/",
    "namespace-contents": "/namespaces/{namespace}/contents/",
    "namespace-fit": "/namespaces/{namespace}/fit/",
    "requests": "/requests/",
    "request": "/requests/{request}/",
    "policies": "/requests/policies/",
    "policy": "/requests/policies/add/",
    "kubeconfigs": "/kubeconfigs/",
    "groups": "/settings/groups/",
}


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_fit_and_are_accessible(open_page: Open, ids: dict[str, int], name: str) -> None:
    check_page(open_page, PAGES[name].format(**ids), f"tenancy-{name}")


def test_the_quota_is_hit_with_a_figure_more_is_asked_until_tomorrow_and_then_it_fits(
    console: Console, ids: dict[str, int], page_of: object
) -> None:
    owner, admin = page_of("olga"), page_of("ada")  # type: ignore[operator]
    owner.get_by_role("link", name="Namespaces", exact=True).first.click()
    owner.get_by_role("link", name="Create namespace").first.click()
    owner.locator("#id_name").fill("checkout")

    def create(cpu: str) -> None:
        owner.locator("[name='quota.requests.cpu']").fill(cpu)
        owner.locator("[name='quota.requests.memory']").fill("1Gi")
        owner.locator("[name='quota.pods']").fill("5")
        owner.get_by_role("button", name="Create namespace").click()

    create("3")
    short = owner.get_by_text("0.5 CPU short")
    expect(short.first).to_be_visible()
    expect(owner.locator("#id_name")).to_have_value("checkout")

    owner.goto(f"{console.url}/requests/ask/shop/quota/")
    owner.locator("[name='requests.cpu']").fill("500m")
    tomorrow = datetime.now() + timedelta(days=1)  # noqa: DTZ005 (as the browser's own clock)
    owner.locator("[name=until]").fill(tomorrow.strftime("%Y-%m-%dT%H:%M"))
    owner.locator("[name=reason]").fill("The checkout moves out of the shop")
    owner.get_by_role("button", name="Ask", exact=True).click()
    expect(owner.get_by_text("Waiting for an answer").first).to_be_visible()

    admin.goto(owner.url)
    expect(admin.get_by_text("The checkout moves out of the shop")).to_be_visible()
    admin.get_by_role("button", name="Approve").click()
    expect(admin.get_by_text("Approved").first).to_be_visible()

    owner.reload()
    expect(owner.get_by_text("Approved").first).to_be_visible()
    owner.goto(f"{console.url}/namespaces/add/")
    if owner.locator("#id_name").count() == 0:
        owner.get_by_role("link", name="tenants-east").first.click()
    owner.locator("#id_name").fill("checkout")
    create("3")
    expect(owner.locator("h1")).to_contain_text("checkout")
    expect(owner.get_by_text("Pending").first).to_be_visible()


def test_a_developer_is_offered_no_more_than_they_may(
    console: Console, ids: dict[str, int], page_of: object
) -> None:
    page = page_of("dora")  # type: ignore[operator]
    page.goto(f"{console.url}/namespaces/{ids['namespace']}/")
    expect(page.locator("h1")).to_contain_text("web")
    for name in ("Edit", "Delete", "Mend", "Accept"):
        expect(page.get_by_role("button", name=name, exact=True)).to_have_count(0)
        expect(page.get_by_role("link", name=name, exact=True)).to_have_count(0)
    page.goto(f"{console.url}/tenants/shop/")
    expect(page.locator("h1")).to_contain_text("Shop & Co")
    for path in ("/tenants/shop/edit/", f"/namespaces/{ids['namespace']}/edit/"):
        answer = page.goto(console.url + path)
        assert answer is not None and answer.status == 403, path
    for path in ("/tenants/add/", "/requests/policies/", "/clusters/", "/settings/groups/"):
        answer = page.goto(console.url + path)
        assert answer is not None and answer.status == 404, path


@pytest.fixture(scope="module")
def corner(
    console: Console, ids: dict[str, int], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[int, Connection]]:
    """A namespace of the tenant's behind a real API server, and a connection to that."""
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer() as server:
        keys = server.credentials()
        given = {
            "name": "tenants-corner", "endpoint": server.endpoint, "ca": keys.ca, "pods": {},
            "certificate": keys.certificate, "key": keys.key,
        }  # fmt: skip
        file = tmp_path_factory.mktemp("quick-start") / "scene.json"
        file.write_text(json.dumps(given))
        number = int(console.run("tests.browser.quick_start_scene", str(file)).strip())
        yield number, server.connection()


def test_a_developer_deploys_an_image_by_quick_start(
    console: Console, corner: tuple[int, Connection], page_of: object
) -> None:
    number, conn = corner
    page = page_of("dora")  # type: ignore[operator]
    page.goto(f"{console.url}/namespaces/{number}/")
    check_all_looks(page, "tenancy-use-over-time")
    page.get_by_role("link", name="Deploy an image").click()
    expect(page.locator("#id_cpu_request")).to_have_value("100m")
    page.locator("#id_name").fill("cart")
    page.locator("#id_image").fill("registry.example.com/shop/cart:1.4")
    page.locator("#id_port").fill("8080")
    page.locator("#id_env_0_name").fill("GREETING")
    page.locator("#id_env_0_value").fill("yes")
    page.locator("#id_cpu_request").fill("2")
    page.locator("#id_cpu_request").press("Enter")
    expect(page.get_by_text("is below what it asks for (2 CPU)")).to_be_visible()
    expect(page.locator("#id_env_0_value")).to_have_value("yes")
    check_all_looks(page, "tenancy-quick-start-errors")
    page.locator("#id_cpu_request").fill("50m")
    page.get_by_role("button", name="Show what would be applied").last.click()
    yaml = page.locator("pre#yaml")
    expect(yaml).to_contain_text("image: registry.example.com/shop/cart:1.4")
    expect(yaml).to_contain_text("value: 'yes'")
    expect(page.get_by_text("Would be created")).to_have_count(2)
    check_all_looks(page, "tenancy-quick-start-review")
    page.get_by_role("button", name="Deploy it").click()
    expect(page.locator("h1")).to_contain_text("cart")
    console.run("tests.browser.quick_start_scene", "look", str(number))
    expect(page.get_by_text("0 of 1 pods are ready.")).to_be_visible(timeout=20_000)
    check_all_looks(page, "tenancy-quick-start-deployed")
    live = conn.get_json("/apis/apps/v1/namespaces/corner/deployments/cart")
    [container] = live["spec"]["template"]["spec"]["containers"]
    assert container["env"] == [{"name": "GREETING", "value": "yes"}]
