"""The cluster's own audit log: what its policy says, and who may read the files.

What an API server makes of the policy is in tests/integration/test_cluster_audit.py.
"""

from __future__ import annotations

import pytest
import yaml

from provisioning.steps.audit_policy import audit_policy
from provisioning.steps.resources import Directory
from tests.unit.provisioning.test_recipe import file, make_spec, material_of, resources

# Which kinds carry something secret, or what people write passwords into.
SECRET = ("secrets", "configmaps", "serviceaccounts/token", "tokenreviews", "pods", "deployments",
          "statefulsets", "daemonsets", "jobs", "cronjobs", "certificatesigningrequests",
          "podtemplates", "replicasets", "*")  # fmt: skip


@pytest.mark.parametrize("version", ["v1.20.2", "v1.23.0", "v1.37.0"])
def test_no_kind_that_carries_secrets_is_logged_with_its_content(version: str) -> None:
    rules = yaml.safe_load(audit_policy(version))["rules"]
    with_content = [rule for rule in rules if rule["level"] not in ("None", "Metadata")]
    assert with_content
    for rule in with_content:
        assert rule["level"] == "Request", "answers hold what others wrote"
        named = [name for group in rule["resources"] for name in group["resources"]]
        assert named and not set(named) & set(SECRET)


def test_whatever_no_rule_names_is_logged() -> None:
    assert yaml.safe_load(audit_policy("v1.20.2"))["rules"][-1] == {"level": "Metadata"}


def test_the_consoles_own_user_is_never_silenced() -> None:
    """The policy sees it in place of each person in whose name it calls."""
    for rule in yaml.safe_load(audit_policy("v1.20.2"))["rules"]:
        assert "flotilla:console" not in rule.get("users", [])
        assert "system:masters" not in rule.get("userGroups", [])


@pytest.mark.parametrize(("version", "knows"), [("v1.20.2", False), ("v1.22.17", False),
                                                ("v1.23.0", True), ("v1.37.0", True)])  # fmt: skip
def test_a_field_that_a_version_does_not_know_is_not_in_its_policy(
    version: str, knows: bool
) -> None:
    assert ("omitManagedFields" in yaml.safe_load(audit_policy(version))) is knows


def test_the_files_are_for_root_alone() -> None:
    spec = make_spec("v1.20.2")
    found = resources(spec, spec.hosts[0], material_of(spec))
    folder = found["dir:/var/log/kubernetes"]
    assert isinstance(folder, Directory) and folder.mode == 0o700
    unit = file(found, "/etc/systemd/system/kube-apiserver.service")
    assert "UMask=0077" in unit.splitlines()
    assert found["file:/etc/kubernetes/audit-policy.yaml"].mode == 0o600
