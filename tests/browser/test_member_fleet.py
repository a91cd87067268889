"""A tenant's developer on the fleet's pages: what is in their namespace, and nothing beside it."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.console import Console
from tests.browser.test_look import check_all_looks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

POD = "shop-5d4c8b7f9-00002"
FOREIGN = re.compile(r"\bvault\b|\bledger|\bBank\b")
MOST = 120


def shape(href: str) -> str:
    """Pages of one kind have one shape: numbers, names of objects and words asked for differ."""
    parts = urlsplit(href)
    path = re.sub(r"/\d+(?=/)", "/N", parts.path)
    path = re.sub(r"(/objects/[^/]+)/[^/]+/[^/]+", r"\1/S/NAME", path)
    return path + "?" + "&".join(sorted(set(re.findall(r"(?:^|&)([^=&]+)=", parts.query))))


def links(page: Page) -> dict[str, str]:
    """{shape: address} of where the page's links lead."""
    found = page.locator("a[href]").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    to = [urljoin(urlsplit(page.url).path, href.partition("#")[0]) for href in found]
    return {shape(one): one for one in to if one.startswith("/") and not one.startswith("//")}


def looked_at(page: Page) -> dict[str, str]:
    """The page is one, tells nothing of others; its links."""
    expect(page.locator("h1")).to_be_visible()
    assert not (found := FOREIGN.search(page.content())), (page.url, found)
    return links(page)


def test_a_developer_goes_from_the_namespace_to_all_that_is_in_it(
    console: Console, ids: dict[str, int], page_of: object
) -> None:
    page: Page = page_of("dora")  # type: ignore[operator]
    cluster, main = f"{console.url}/clusters/{ids['cluster']}", page.locator("main")
    seen: dict[str, str] = {}
    page.goto(f"{console.url}/namespaces/{ids['namespace']}/")
    seen |= looked_at(page)

    main.get_by_role("link", name="Workloads", exact=True).first.click()
    expect(main.get_by_role("link", name="shop", exact=True)).to_be_visible()
    seen |= looked_at(page)
    page.go_back()
    main.get_by_role("link", name="Pods", exact=True).first.click()
    expect(main.get_by_role("link", name=re.compile("^shop-5d4c8b7f9-"))).to_have_count(3)
    expect(main.get_by_role("link", name="tenants-east-worker-1")).to_have_count(0)
    seen |= looked_at(page)
    check_all_looks(page, "member-pods")
    page.set_viewport_size({"width": 1440, "height": 900})
    main.get_by_role("link", name=POD, exact=True).click()
    expect(page.locator("h1")).to_contain_text(POD)
    seen |= looked_at(page)
    check_all_looks(page, "member-pod")
    page.set_viewport_size({"width": 1440, "height": 900})
    at = page.url.partition("?")[0]
    for tab, says in (("Events", "Back-off restarting failed container"), ("YAML", POD)):
        main.get_by_role("link", name=re.compile(f"^{tab}")).first.click()
        expect(main).to_contain_text(says)
        seen |= looked_at(page)
        page.goto(at)
    main.get_by_role("link", name="Logs", exact=True).first.click()
    expect(page.locator("[data-log], .fl-log").first).to_be_attached()
    seen |= looked_at(page)

    for path, picture in (
        ("/", "member-cluster"),
        ("/objects/deployments.apps/web/shop/", "member-workload"),
        ("/workloads/", ""), ("/events/", ""),
    ):  # fmt: skip
        answer = page.goto(cluster + path)
        assert answer is not None and answer.status == 200, path
        seen |= looked_at(page)
        if picture:
            check_all_looks(page, picture)
            page.set_viewport_size({"width": 1440, "height": 900})
    assert len(seen) < MOST, sorted(seen)
    answers = {href: page.request.get(console.url + href).status for href in seen.values()}
    # The scene's cluster has no credentials: a log to be downloaded is refused for that (400).
    refused = {href: code for href, code in answers.items() if code in (403, 404) or code >= 500}
    assert refused == {}


def test_what_is_anothers_is_not_there(
    console: Console, ids: dict[str, int], page_of: object
) -> None:
    page: Page = page_of("dora")  # type: ignore[operator]
    cluster = f"{console.url}/clusters/{ids['cluster']}"
    theirs = f"{cluster}/objects/pods/vault/ledger-5d4c8b7f9-00000/"
    node = f"{cluster}/objects/nodes/-/tenants-east-worker-1/"
    for address in (theirs, f"{theirs}?tab=yaml", f"{theirs}logs/", node, f"{cluster}/nodes/"):
        assert page.request.get(address).status == 404, address
    page.goto(f"{cluster}/pods/?namespace=vault")
    expect(page.locator("main").get_by_text("5d4c8b7f9")).to_have_count(0)
    page.goto(f"{console.url}/search/?q=5d4c8b7f9")
    expect(page.locator("main")).to_contain_text("shop-5d4c8b7f9")
    looked_at(page)


def test_a_developer_gets_everywhere_that_a_link_leads(
    console: Console, ids: dict[str, int], page_of: object
) -> None:
    page: Page = page_of("dora")  # type: ignore[operator]
    waiting, known, wrong = ["/"], {shape("/")}, {}
    while waiting:
        href = waiting.pop(0)
        head = page.request.get(console.url + href)
        if head.status >= 400:
            wrong[href] = str(head.status)
        elif "text/html" in head.headers["content-type"]:
            page.goto(console.url + href)
            main = page.locator("main").inner_text()
            if len(main.split()) < 5:
                wrong[href] = f"bare: {main}"
            empties = page.locator("main .empty").all_inner_texts()
            if any(len(empty.split()) < 5 for empty in empties):
                wrong[href] = "an empty list without a word of why"
            if found := FOREIGN.search(page.content()):
                wrong[href] = f"another's: {found[0]}"
            new = {one: to for one, to in links(page).items() if one not in known}
            known |= set(new)
            waiting += new.values()
        assert len(known) < MOST, sorted(known)
    wrong = {href: why for href, why in wrong.items() if "/log.txt" not in href or why != "400"}
    assert wrong == {}
    assert {"/tenants/shop/?", "/namespaces/N/?", "/requests/N/?", "/kubeconfigs/?"} <= known
    assert {"/notices/?", "/expiry/?", "/clusters/N/objects/pods/S/NAME/?"} <= known
