"""The import pages in a real browser: from a pasted kubeconfig to the choice of credentials."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from playwright.sync_api import Page, expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks
from tests.unit.clusters.authority import Authority
from tests.unit.clusters.hostile_ground import b64
from tests.unit.clusters.import_server import ImportServer

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]
SCENE = "tests.browser.import_scene"


@pytest.fixture(scope="module")
def server():
    authority = Authority()
    names = [x509.DNSName("localhost")]
    usage = ExtendedKeyUsageOID.SERVER_AUTH
    pair = authority._leaf("kube-apiserver", None, usage, names, timedelta(days=1))
    with ImportServer(authority, pair) as running:
        running.denied = {("get", "nodes"), ("list", "cronjobs"), ("watch", "secrets")}
        yield running


def kubeconfig(server: ImportServer) -> str:
    ca = b64(server.authority.crt)
    address = f"https://localhost:{server.port}"
    user = {"exec": {"apiVersion": "v1", "command": "aws"}}
    return yaml.safe_dump(
        {
            "current-context": "admin@edge",
            "clusters": [
                {"name": "edge", "cluster": {"server": address, "certificate-authority-data": ca}},
                {"name": "away", "cluster": {"server": "https://nowhere.invalid:6443"}},
            ],
            "users": [{"name": "u", "user": {"token": "a-token"}}, {"name": "cloud", "user": user}],
            "contexts": [
                {"name": "admin@edge", "context": {"cluster": "edge", "user": "u"}},
                {"name": "arn:aws:eks:prod", "context": {"cluster": "edge", "user": "cloud"}},
                {"name": "admin@away", "context": {"cluster": "away", "user": "u"}},
            ],
        }
    )


def shot(page: Page, name: str) -> None:
    """A picture of the page in both widths and themes, where somebody asks for them."""
    folder = os.environ.get("FLOTILLA_SHOTS")
    if not folder:
        return
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            page.wait_for_timeout(250)
            path = Path(folder) / f"{name}-{width}-{theme}.png"
            page.screenshot(path=str(path), full_page=True)


def test_from_a_pasted_kubeconfig_to_the_choice(
    open_page: Open, console: Console, server: ImportServer
) -> None:
    page = open_page("/clusters/import/")
    expect(page.get_by_label("API server", exact=True)).to_be_hidden()
    shot(page, "given")
    check_all_looks(page)
    page.get_by_label("Server, CA and token").check()
    expect(page.get_by_label("API server", exact=True)).to_be_visible()
    shot(page, "by-hand")
    page.get_by_label("A kubeconfig").check()
    page.get_by_label("Kubeconfig", exact=True).fill("users:\n- user: {exec: x}\n  name: a\n")
    page.get_by_role("button", name="Next").click()
    expect(page.locator("main")).to_contain_text("contexts: There is none.")
    shot(page, "refused")
    page.get_by_label("Kubeconfig", exact=True).fill(kubeconfig(server))
    page.get_by_role("button", name="Next").click()
    # The context that would run a command cannot be chosen, and says which field it is.
    expect(page.locator("main")).to_contain_text("users[1].user.exec")
    expect(page.get_by_label("arn:aws:eks:prod", exact=True)).to_be_disabled()
    page.get_by_label("admin@away", exact=True).check()
    shot(page, "choose")
    check_all_looks(page)
    page.get_by_role("button", name="Check").click()
    expect(page.locator("#import")).to_contain_text("Waiting for the watcher")
    shot(page, "waiting")
    console.environment["FLOTILLA_OUTBOUND_ALLOWED"] = "127.0.0.0/8,::1/128"
    try:
        console.run(SCENE, "watch")
    finally:
        del console.environment["FLOTILLA_OUTBOUND_ALLOWED"]
    # The page notices by itself.
    expect(page.locator("#import")).to_contain_text("Can be imported", timeout=10_000)
    expect(page.locator("#import")).to_contain_text("not known to the console's DNS")
    page.get_by_text("Exactly what is applied").click()
    expect(page.locator("#manifest")).to_contain_text("kind: ClusterRoleBinding")
    shot(page, "checked")
    check_all_looks(page)


def test_an_imported_cluster_and_its_forgetting(open_page: Open, console: Console) -> None:
    pk = console.run(SCENE, "imported").strip()
    page = open_page(f"/clusters/{pk}/")
    expect(page.locator("main")).to_contain_text("credentials for this cluster end on")
    shot(page, "cluster")
    check_all_looks(page)
    page.get_by_role("link", name="Forget").click()
    if page.get_by_label("Password").count():
        from tests.browser.scene import PASSWORD

        page.get_by_label("Password").fill(PASSWORD)
        page.locator("main button.btn-primary").click()
    expect(page.locator("#h-there")).to_be_visible(timeout=15_000)
    expect(page.locator("#by-hand")).to_contain_text("kubectl delete")
    shot(page, "forget")
    check_all_looks(page)
