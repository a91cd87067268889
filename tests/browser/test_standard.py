"""Pages of standard clusters: the form that grows, members, clean-ups, the layers of a task."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

CREATE = "/clusters/create/"
SCENE = "tests.browser.standard_scene"


@dataclass(frozen=True)
class Fleet:
    """The numbers of what the scene made."""

    cluster: str
    back: str

    def page(self, name: str) -> str:
        return f"/clusters/{self.cluster}/{name}"


@pytest.fixture(scope="module")
def fleet(console: Console) -> Fleet:
    """Free hosts, a release, a standard cluster, and a host to be cleaned up."""
    console.run(SCENE, "hosts")
    return Fleet(console.run(SCENE, "cluster"), console.run(SCENE, "clean-up"))


def choose(page: Page, **roles: str) -> None:
    for name, role in roles.items():
        page.locator(f"tr[data-name={name}] select").select_option(role)


def columns(page: Page) -> list[str]:
    """The control planes of the picture, from left to right."""
    names = page.locator("[data-planned-columns] .fl-plan-machine").all_inner_texts()
    return [name.strip() for name in names]


def test_a_drill_is_chosen_and_its_history_read(
    console: Console, fleet: Fleet, open_page: Open
) -> None:
    # First of all: later tests leave a task of the cluster running.
    console.run(SCENE, "drill")
    page = open_page(fleet.page("drills/"))
    row = page.locator("tbody tr", has_text="cp1")
    expect(row).to_contain_text("46 ms")
    expect(row).to_contain_text("cp2")
    check_all_looks(page)
    page.get_by_role("link", name="Rehearse a failure").click()
    page.get_by_role("radio", name="etcd on the host").check()
    page.get_by_role("button", name="Review the plan").click()
    expect(page.get_by_role("button", name="Start the drill")).to_be_visible()
    expect(page.get_by_role("radio", name="etcd on the host")).to_be_checked()
    check_all_looks(page)


def test_the_form_grows_with_the_type(fleet: Fleet, open_page: Open) -> None:
    page = open_page(CREATE)
    vip, box = page.get_by_label("Virtual IP", exact=True), page.get_by_label("runs workloads too")
    proxies = page.locator("[data-planned-columns] .fl-plan-proxy")
    expect(vip).to_be_hidden()
    expect(box).to_be_checked()
    expect(proxies.first).to_be_hidden()
    page.get_by_role("radio", name="Standard").check()
    expect(vip).to_be_visible()
    expect(box).not_to_be_checked()
    expect(proxies).to_have_count(3)
    expect(proxies.first).to_be_visible()
    vip.fill("10.60.0.200")
    page.get_by_role("radio", name="Lightweight").check()
    expect(vip).to_be_hidden()
    expect(box).to_be_checked()
    page.get_by_role("radio", name="Standard").check()
    expect(vip).to_have_value("10.60.0.200")


def test_the_picture_follows_the_hosts(fleet: Fleet, open_page: Open) -> None:
    page = open_page(CREATE)
    page.get_by_role("radio", name="Standard").check()
    network = page.locator("[data-vip-network]")
    expect(network).to_contain_text("Choose the control planes above")
    choose(page, free1="control_plane", free2="control_plane", free4="worker")
    assert columns(page) == ["free1", "free2", "to be chosen"]
    expect(page.locator("[data-planned-workers]")).to_contain_text("free4")
    expect(network).to_have_text("The chosen control planes are in 10.60.0.0/24.")
    page.get_by_label("Virtual IP", exact=True).fill("10.60.0.200")
    expect(page.locator("[data-planned-vip]")).to_have_text("10.60.0.200")
    choose(page, free3="control_plane", elsewhere="control_plane")
    assert columns(page) == ["elsewhere", "free1", "free2", "free3", "to be chosen"]
    expect(network).to_contain_text("different networks: 10.61.0.0/24, 10.60.0.0/24")
    choose(page, elsewhere="")
    assert columns(page) == ["free1", "free2", "free3"]


def test_problems_stand_at_their_fields_and_nothing_is_lost(fleet: Fleet, open_page: Open) -> None:
    page = open_page(CREATE)
    page.get_by_role("radio", name="Standard").check()
    page.get_by_label("Name", exact=True).fill("next")
    page.get_by_label("Virtual IP", exact=True).fill("10.99.0.1")
    choose(page, free1="control_plane", free2="control_plane", free3="control_plane")
    page.get_by_role("button", name="Review the plan").click()
    alert = page.get_by_role("alert")
    expect(alert).to_be_focused()
    expect(alert).to_contain_text("A standard cluster needs a worker")
    expect(page.locator("#id_vip_error")).to_contain_text("is outside 10.60.0.0/24")
    assert columns(page) == ["free1", "free2", "free3"]
    expect(page.get_by_label("Name", exact=True)).to_have_value("next")
    check_all_looks(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_label("Virtual IP", exact=True).fill("10.60.0.200")
    choose(page, free4="worker")
    page.get_by_role("button", name="Review the plan").click()
    expect(page.locator("#review")).to_contain_text("keepalived")
    expect(page.get_by_role("button", name="Launch")).to_be_visible()


def test_without_javascript(fleet: Fleet, open_page: Open) -> None:
    page = open_page(CREATE, java_script_enabled=False)
    page.get_by_role("radio", name="Standard").check()
    page.get_by_label("Virtual IP", exact=True).fill("10.60.0.200")
    page.get_by_label("Name", exact=True).fill("plain")
    choose(page, free1="control_plane", free2="control_plane", free3="control_plane")
    choose(page, free4="worker")
    page.get_by_role("button", name="Review the plan").click()
    expect(page.locator("#review")).to_contain_text("keepalived")
    expect(page.get_by_label("runs workloads too")).not_to_be_checked()
    assert columns(page) == ["free1", "free2", "free3"]
    expect(page.locator("[data-vip-network]")).to_contain_text("10.60.0.0/24")


@pytest.mark.parametrize("name", ["nodes/", "control-plane/", "add-nodes/", "remove-node/"])
def test_pages_of_a_cluster_fit_and_are_accessible(
    fleet: Fleet, open_page: Open, name: str
) -> None:
    page = open_page(fleet.page(name))
    expect(page.locator("h1")).to_be_visible()
    check_all_looks(page)


def test_a_dead_control_plane_is_replaced_from_the_nodes_tab(fleet: Fleet, open_page: Open) -> None:
    page = open_page(fleet.page("nodes/"))
    expect(page.get_by_text("1 host has missed a change")).to_be_visible()
    page.get_by_role("link", name="Replace cp3").click()
    expect(page.get_by_text("cp3 cannot be reached now")).to_be_visible()
    page.get_by_label("Replacement").select_option(label="free5 · 10.60.0.25")
    page.get_by_role("button", name="Review the plan").click()
    expect(page.locator("#review")).to_contain_text("The etcd member is removed")
    expect(page.get_by_role("button", name="Replace the node")).to_be_visible()
    check_all_looks(page)


def test_an_even_number_asks_to_be_meant(fleet: Fleet, open_page: Open) -> None:
    page = open_page(fleet.page("add-nodes/"))
    expect(page.get_by_label("I mean it")).to_have_count(0)
    choose(page, free1="control_plane")
    page.get_by_role("button", name="Review the plan").click()
    expect(page.locator("#id_accept_even_error")).to_contain_text("4 control planes")
    page.get_by_label("I mean it").check()
    page.get_by_role("button", name="Review the plan").click()
    expect(page.get_by_role("button", name="Add the nodes")).to_be_visible()


def test_a_host_that_is_back_offers_its_clean_up(fleet: Fleet, open_page: Open) -> None:
    page = open_page("/")
    page.locator("#waiting-back").click()
    expect(page.get_by_role("heading", name="It is back: clean it up")).to_be_visible()
    expect(page.get_by_role("button", name="Clean up now")).to_be_visible()
    check_all_looks(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("link", name="Forget it").click()
    expect(page.get_by_role("heading", name="Forget this clean-up?")).to_be_visible()
    check_all_looks(page)


def test_a_task_shows_the_layers_and_what_it_waits_for(
    fleet: Fleet, console: Console, open_page: Open
) -> None:
    task = console.run(SCENE, "task", "remove_node")
    page = open_page(f"/tasks/{task}/")
    layers = page.locator("section", has=page.locator("#layers-heading"))
    expect(layers).to_contain_text("holds the virtual IP")
    stepper = page.locator(".fl-stepper")
    expect(stepper).to_contain_text("the PodDisruptionBudget shop/web allows no disruption")
    # Beside each other where there is room, below each other where there is none.
    box, beside = stepper.bounding_box(), layers.bounding_box()
    assert box is not None
    assert beside is not None
    assert beside["x"] > box["x"] + box["width"] - 1
    check_all_looks(page)


def test_each_key_type_stands_beside_its_button(open_page: Open) -> None:
    page = open_page("/settings/credentials/add/")
    places = page.evaluate(
        "[...document.querySelectorAll('fieldset .form-check')].map(label => {"
        "const of = (part) => label.querySelector(part).getBoundingClientRect();"
        "const [button, words] = [of('input'), of('span')];"
        "return [button.top < words.bottom && words.top < button.bottom,"
        " button.right <= words.left]; })"
    )
    assert places, json.dumps(places)
    assert all(same_line and before for same_line, before in places)
