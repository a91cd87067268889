"""Charts of use, as people see them, move through them and hear them."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def cluster(console: Console) -> str:
    return str(console.run("tests.browser.metrics_scene")).strip()


def painted(page, what: str) -> int:
    """How many pixels of a chart are not empty."""
    script = """(canvas) => {
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        let count = 0;
        for (let k = 3; k < data.length; k += 4) if (data[k] > 0) count += 1;
        return count;
    }"""
    return page.locator(f"[data-chart={what}] canvas").evaluate(script)


def test_charts_are_drawn_and_the_table_has_the_same_figures(open_page: Open, cluster: str) -> None:
    page = open_page(f"/clusters/{cluster}/metrics/")
    for what in ("cpu", "memory"):
        expect(page.locator(f"[data-chart={what}] canvas")).to_be_visible()
        assert painted(page, what) > 1000
    page.get_by_text("The same figures as a table").click()
    rows = page.locator("[data-metrics-rows] tr")
    expect(rows.nth(50)).to_be_visible()
    data = page.evaluate(
        """async () => (await (await fetch(
            document.querySelector("[data-metrics]").dataset.metrics + "&range=1h")).json())"""
    )
    assert rows.count() == len(data["times"]) == 104, "103 samples and one gap"
    drawn = page.evaluate('document.querySelector("[data-chart=cpu]").chart.data[1]')
    assert drawn[1:-1] == data["cpu"] and drawn.count(None) == 3, "both ends, and the gap"
    first = rows.first.locator("td").all_inner_texts()
    assert first[1] == f"{data['cpu'][-1]:.2f}".rstrip("0").rstrip(".") + " CPU"
    assert first[3] == f"{data['memory'][-1] / 2**30:.1f} GiB"
    assert page.locator("[data-metrics-rows]").inner_text().count("–") == 4, "a gap is a gap"
    lines = page.locator("[data-chart=cpu] .u-legend").inner_text()
    assert "Requested" in lines and "Limit" in lines and "Allocatable" in lines
    assert "Limit" not in page.locator("[data-chart=memory] .u-legend").inner_text()


def test_arrow_keys_read_the_chart_out(open_page: Open, cluster: str) -> None:
    page = open_page(f"/clusters/{cluster}/metrics/")
    chart = page.locator("[data-chart=cpu]")
    expect(chart.locator("canvas")).to_be_visible()
    chart.focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    says = page.locator('[data-chart-says="cpu"]')
    expect(says).to_have_text(re.compile(r".+: [\d.]+ CPU"))
    last = says.inner_text()
    page.keyboard.press("ArrowLeft")
    expect(says).not_to_have_text(last)
    page.keyboard.press("Escape")
    expect(says).to_have_text("")


def test_another_range_is_one_click_and_has_its_address(open_page: Open, cluster: str) -> None:
    page = open_page(f"/clusters/{cluster}/metrics/")
    expect(page.locator("[data-chart=cpu] canvas")).to_be_visible()
    with page.expect_response(re.compile("range=24h")):
        page.get_by_role("link", name="24 hours").click()
    expect(page).to_have_url(re.compile(r"\?range=24h$"))
    page.reload()
    expect(page.get_by_role("link", name="24 hours")).to_have_attribute("aria-current", "true")
    expect(page.locator("[data-chart=cpu] canvas")).to_be_visible()


def test_charts_stay_while_the_page_around_them_follows_the_cluster(
    console: Console, open_page: Open, cluster: str
) -> None:
    page = open_page(f"/clusters/{cluster}/metrics/")
    expect(page.locator("[data-chart=cpu] canvas")).to_be_visible()
    page.locator("[data-chart=cpu] canvas").evaluate("(canvas) => { canvas.dataset.same = 'yes' }")
    change = f"from clusters.models import Cluster as C; C.objects.filter(pk={cluster})"
    console.run("django", "shell", "-c", f"{change}.update(status='degraded')")
    expect(page.get_by_text("Degraded").first).to_be_visible(timeout=30_000)
    expect(page.locator("[data-chart=cpu] canvas")).to_have_attribute("data-same", "yes")
    assert painted(page, "cpu") > 1000


def test_without_scripts_the_table_is_there(open_page: Open, cluster: str) -> None:
    page = open_page(f"/clusters/{cluster}/metrics/?range=1h", java_script_enabled=False)
    page.locator("summary", has_text="The same figures").click()
    assert page.locator("[data-metrics-rows] tr").count() == 104
    expect(page.get_by_text("does not reach the kubelets of n2")).to_be_visible()


def test_the_page_fits_and_is_accessible(open_page: Open, cluster: str) -> None:
    page = open_page(f"/clusters/{cluster}/metrics/")
    expect(page.locator("[data-chart=memory] canvas")).to_be_visible()
    check_all_looks(page, "metrics")
