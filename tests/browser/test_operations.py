"""What people do in a cluster from a browser, against a real API server.

One action on several objects; an object that somebody else changes meanwhile; manifests that are
so many that a task applies them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from clusters.kube import Connection, NotFound
from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks
from tests.integration import api_server
from tests.integration.api_server import RealApiServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
MAPS = "/api/v1/namespaces/shop/configmaps"
LONG = "a-deployment-with-quite-a-long-name-for-the-checkout-gateway"
NAMES = ("cart", "web", LONG)
LABELS = {"app": "web"}
TEMPLATE = {
    "metadata": {"labels": LABELS},
    "spec": {"containers": [{"name": "c", "image": "registry.example.com/shop/web:2.4.1"}]},
}


@dataclass
class Harbour:
    """A cluster with Deployments and a ConfigMap in the namespace shop."""

    console: Console
    conn: Connection
    number: str

    @property
    def home(self) -> str:
        return f"/clusters/{self.number}/"

    def deployment(self, name: str) -> dict:
        return self.conn.get_json(f"{DEPLOYMENTS}/{name}")

    def look(self) -> None:
        """The inventory learns what is there now."""
        self.console.run("tests.browser.operations_scene", "look", self.number)


@pytest.fixture(scope="module")
def harbour(console: Console, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Harbour]:
    if lacks := api_server.missing():
        pytest.skip(lacks)
    with RealApiServer() as server:
        conn = server.connection()
        conn.post("/api/v1/namespaces", {"metadata": {"name": "shop"}})
        spec = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
        for name in NAMES:
            conn.post(DEPLOYMENTS, {"metadata": {"name": name}, "spec": spec})
        conn.post(MAPS, {"metadata": {"name": "settings"}, "data": {"colour": "green"}})
        keys = server.credentials()
        given = {
            "name": "harbour", "endpoint": server.endpoint, "ca": keys.ca, "pods": {},
            "certificate": keys.certificate, "key": keys.key,
        }  # fmt: skip
        file = tmp_path_factory.mktemp("operations") / "scene.json"
        file.write_text(json.dumps(given))
        number = console.run("tests.browser.operations_scene", str(file)).strip()
        yield Harbour(console, conn, number)


# One action on several objects.


def choose(page: Page, *names: str) -> None:
    for name in names:
        page.get_by_label(f"Choose {name}", exact=True).check()
    expect(page.locator("[data-bulk-count]")).to_have_text(f"{len(names)} chosen")


def test_several_workloads_are_restarted(harbour: Harbour, open_page: Open) -> None:
    page = open_page(f"{harbour.home}workloads/?namespace=shop")
    restart = page.get_by_role("button", name="Restart", exact=True)
    expect(restart).to_be_disabled()
    choose(page, "web", LONG)
    restart.click()
    expect(page.locator("h1")).to_have_text("Restart several workloads")
    expect(page.locator("main form li")).to_have_count(2)
    expect(page.locator("main form")).to_contain_text(LONG)
    page.get_by_role("button", name="Restart them").click()
    expect(page.locator("#h-results")).to_be_focused()
    expect(page.locator("main .list-group-item", has_text="Done")).to_have_count(2)
    asked = {name: "restartedAt" in json.dumps(harbour.deployment(name)["spec"]) for name in NAMES}
    assert asked == {"cart": False, "web": True, LONG: True}


def test_each_of_several_says_its_own_result(harbour: Harbour, open_page: Open) -> None:
    spec = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
    harbour.conn.post(DEPLOYMENTS, {"metadata": {"name": "fleeting"}, "spec": spec})
    harbour.look()
    page = open_page(f"{harbour.home}workloads/?namespace=shop")
    choose(page, "cart", "fleeting")
    harbour.conn.delete(f"{DEPLOYMENTS}/fleeting")
    page.get_by_role("button", name="Scale", exact=True).click()
    page.get_by_role("button", name="Scale them").click()
    expect(page.locator("main form")).to_contain_text("This field is required.")
    page.get_by_label("Replicas").fill("3")
    page.get_by_role("button", name="Scale them").click()
    done = page.locator("main .list-group-item", has_text="Done")
    refused = page.locator("main .list-group-item", has_text="Refused")
    expect(done).to_contain_text("Deployment shop/cart")
    expect(refused).to_contain_text("Deployment shop/fleeting")
    expect(refused).to_contain_text("not found")
    check_all_looks(page)
    assert harbour.deployment("cart")["spec"]["replicas"] == 3


def test_a_deletion_of_several_asks_for_the_clusters_name(
    harbour: Harbour, open_page: Open
) -> None:
    spec = {"replicas": 1, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}
    for name in ("old-1", "old-2"):
        harbour.conn.post(DEPLOYMENTS, {"metadata": {"name": name}, "spec": spec})
    harbour.look()
    page = open_page(f"{harbour.home}workloads/?namespace=shop")
    choose(page, "old-1", "old-2")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_label("Type the cluster's name").fill("harbor")
    page.get_by_role("button", name="Delete them").click()
    expect(page.locator("main form .invalid-feedback")).to_be_visible()
    expect(page.get_by_label("Type the cluster's name")).to_have_value("harbor")
    check_all_looks(page)
    assert harbour.deployment("old-1")
    page.get_by_label("Type the cluster's name").fill("harbour")
    page.get_by_role("button", name="Delete them").click()
    expect(page.locator("main .list-group-item", has_text="Done")).to_have_count(2)
    for name in ("old-1", "old-2"):
        with pytest.raises(NotFound):
            harbour.deployment(name)


# Somebody else changed the object between opening and saving.


def test_an_edit_that_meets_another_loses_neither(harbour: Harbour, open_page: Open) -> None:
    path = f"{MAPS}/settings"
    page = open_page(f"{harbour.home}objects/configmaps/shop/settings/edit/")
    text = page.get_by_label("YAML")
    first = text.input_value()
    text.fill("data: {colour")
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("main .invalid-feedback")).to_contain_text("This is no YAML")
    check_all_looks(page)
    mine = first.replace("colour: green", "colour: blue")
    text.fill(mine)
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator(".fl-diff-new")).to_contain_text(["colour: blue"])
    expect(page.locator(".fl-diff-old")).to_contain_text(["colour: green"])
    harbour.conn.merge_patch(path, {"data": {"size": "small"}})
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("#h-clash")).to_be_focused()
    expect(page.locator("#h-clash")).to_contain_text("Somebody changed it meanwhile")
    expect(page.locator(".fl-diff-new")).to_contain_text(["size: small"])
    expect(page.locator("main")).to_contain_text("saved as it is, it would undo this")
    expect(text).to_have_value(mine)
    expect(page.get_by_role("button", name="Save", exact=True)).to_have_count(0)
    check_all_looks(page)
    assert harbour.conn.get_json(path)["data"] == {"colour": "green", "size": "small"}
    # The text has not the other's line yet: the comparison says that it would go.
    page.get_by_role("button", name="Compare my text with the current version").click()
    expect(page.locator(".fl-diff-old", has_text="size: small")).to_have_count(1)
    text.fill(text.input_value().replace("colour: blue", "colour: blue\n  size: small"))
    page.get_by_role("button", name="Compare again").click()
    expect(page.locator(".fl-diff-new", has_text="colour: blue")).to_have_count(1)
    expect(page.locator(".fl-diff-old", has_text="size: small")).to_have_count(0)
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator("main, .page-wrapper").first).to_contain_text("settings is saved.")
    assert harbour.conn.get_json(path)["data"] == {"colour": "blue", "size": "small"}


# Manifests that a task applies.


def manifests(count: int) -> str:
    """So many ConfigMaps."""
    made = [
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: part-{n}\n  namespace: shop\n"
        f"data:\n  number: '{n}'\n"
        for n in range(count)
    ]
    return "---\n".join(made)


def parts(harbour: Harbour) -> set[str]:
    names = {item["metadata"]["name"] for item in harbour.conn.listing(MAPS).items}
    return {name for name in names if name.startswith("part-")}


def test_many_manifests_are_tried_and_applied_by_a_task(harbour: Harbour, open_page: Open) -> None:
    page = open_page(f"{harbour.home}manifests/")
    page.get_by_label("YAML").fill(manifests(25))
    page.get_by_role("button", name="Show what would change").click()
    expect(page.locator("#h-many")).to_have_text("25 objects: a task applies them")
    expect(page.locator("main ol li")).to_have_count(25)
    check_all_looks(page)
    page.get_by_role("button", name="Try them (dry run)").click()
    expect(page.locator("h1")).to_have_text("Try 25 manifests on harbour")
    work_off(harbour, page)
    assert parts(harbour) == set()
    page.go_back()
    page.get_by_role("button", name="Apply them", exact=True).click()
    expect(page.locator("h1")).to_have_text("Apply 25 manifests to harbour")
    work_off(harbour, page)
    assert parts(harbour) == {f"part-{n}" for n in range(25)}


def work_off(harbour: Harbour, page: Page) -> None:
    """Let a worker do what waits: the open page shows by itself how each object fared."""
    expect(page.locator("[data-log].fl-log-ready")).to_be_visible()
    harbour.console.run("manage", "worker", "--once")
    expect(page.locator("main")).to_contain_text("Succeeded", timeout=20_000)
    page.locator("[data-log-box]").focus()
    page.keyboard.press("End")
    expect(page.locator(".fl-log-line", has_text="part-24")).to_be_visible()
