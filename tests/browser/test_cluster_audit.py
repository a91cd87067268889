"""A cluster's own audit log, as an auditor sees it: by SSH from a control plane, one being away."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from playwright.sync_api import expect

from provisioning.steps.audit_policy import FOLDER
from tests.browser.conftest import Open
from tests.browser.console import Console
from tests.browser.test_look import check_all_looks
from tests.ssh_host import SshHost, audit_folder
from tests.unit.provisioning.test_cluster_audit_lines import CLICK, line

pytestmark = [pytest.mark.browser, pytest.mark.timeout(400)]

NAME = "a-pod-with-a-long-name-" + "x" * 180
RULES = {"kind": "Role", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def cluster(console: Console, tmp_path: Path) -> Iterator[str]:
    """The number of the scene's cluster; a few entries are written at this moment."""
    folder, now = audit_folder(), datetime.now(UTC)
    pod = {"resource": "pods", "subresource": "exec", "namespace": "shop", "name": NAME}
    role = {"resource": "roles", "namespace": "shop", "name": "reader"}
    (folder / "audit.log").write_text(
        line(now, person="flotilla:user:1", auditID=f"{CLICK}.aaaaaaaa", objectRef=pod, verb="get",
             requestURI=f"/api/v1/namespaces/shop/pods/{NAME}/exec?command=sh&stdin=true")
        + line(now, user={"username": "kubernetes-admin", "groups": []}, userAgent=MARKUP,
               objectRef=role, verb="create", requestObject=RULES)
        + line(now, person="flotilla:user:1", auditID=f"{CLICK}.bbbbbbbb",
               annotations={"authorization.k8s.io/decision": "forbid"},
               responseStatus={"code": 403, "message": f"forbidden: {MARKUP}"})
    )  # fmt: skip
    with SshHost({FOLDER: str(folder)}) as host:
        key = tmp_path / "key"
        key.write_text(host.private_key)
        yield console.run(
            "tests.browser.cluster_audit_scene", str(host.port), host.host_key, str(key)
        ).strip()
    shutil.rmtree(folder)


def test_it_is_read_when_somebody_asks_and_leads_back_to_the_click(
    open_page: Open, cluster: str
) -> None:
    page = open_page(f"/clusters/{cluster}/audit-log/")
    expect(page.get_by_text("Nothing was asked for yet")).to_be_visible()
    check_all_looks(page, "cluster-audit-empty")
    page.get_by_label("Resource").fill("pods")
    page.get_by_role("button", name="Read").click()
    rows = page.locator("#audit-log tbody tr")
    expect(rows).to_have_count(2)
    expect(page.get_by_text("The entries of plane-2 are missing.")).to_be_visible()
    page.get_by_label("Resource").fill("")
    page.get_by_label("Around").fill("")
    page.get_by_role("button", name="Read").click()
    expect(rows).to_have_count(3)
    for summary in page.locator("#audit-log summary").all():
        summary.click()
    expect(page.locator("#audit-log")).to_contain_text(MARKUP)
    expect(page.locator("#audit-log pre")).to_contain_text('"resources"')
    check_all_looks(page, "cluster-audit")
    page.get_by_role("link", name="Request 6f1c2a0e").first.click()
    page.wait_for_url(f"**/audit/?request={CLICK}")
