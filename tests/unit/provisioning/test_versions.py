"""The table of versions: what each one gets, and what is refused."""

from __future__ import annotations

import pytest

from provisioning import versions

ALL = [f"v1.{minor}.0" for minor in range(versions.OLDEST[1], versions.NEWEST[1] + 1)]


@pytest.mark.parametrize("version", ["v1.20.2", "1.20.0", "v1.33.1", "v1.34.0-rc.1", *ALL])
def test_supported(version: str) -> None:
    assert versions.supported(version)


@pytest.mark.parametrize(
    "version", ["v1.19.9", "v1.99.0", "v2.0.0", "", "latest", "1.20", "v1.20.2;id", "v1.20.2\n"]
)
def test_not_supported(version: str) -> None:
    assert not versions.supported(version)


def test_the_container_runtime_flag_ends_with_1_26() -> None:
    assert "--container-runtime=remote" in versions.kubelet_flags("v1.26.9", "p")
    assert "--container-runtime=remote" not in versions.kubelet_flags("v1.27.0", "p")


@pytest.mark.parametrize("version", ALL)
def test_the_kubelet_is_told_of_containerd_exactly_once(version: str) -> None:
    flags = versions.kubelet_flags(version, "p")
    by_flag = any(f.startswith("--container-runtime-endpoint=") for f in flags)
    by_config = "containerRuntimeEndpoint" in versions.kubelet_config(version, 2)
    assert by_flag != by_config


def test_insecure_ports_are_turned_off_where_they_exist() -> None:
    assert versions.insecure_port_flags("v1.20.2") == ["--port=0"]
    assert versions.insecure_port_flags("v1.24.0") == []


def test_etcd_minimum() -> None:
    assert versions.etcd_new_enough("v1.20.2", "3.4.23")
    assert not versions.etcd_new_enough("v1.33.0", "3.4.23")
    assert not versions.etcd_new_enough("v1.20.2", "3.3.10")
    with pytest.raises(ValueError, match="not a version"):
        versions.etcd_new_enough("v1.20.2", "new")


def test_every_table_is_in_order() -> None:
    tables = [v for v in vars(versions).values() if isinstance(v, versions.Since)]
    assert len(tables) > 8
    for table in tables:
        starts = [start for start, _ in table.rows]
        assert starts == sorted(set(starts))
        assert starts[0] == 0


def test_old_cgroups_must_be_asked_for_in_the_newest() -> None:
    assert versions.kubelet_config("v1.35.0", 1)["failCgroupV1"] is False
    assert "failCgroupV1" not in versions.kubelet_config("v1.35.0", 2)
    assert "failCgroupV1" not in versions.kubelet_config("v1.34.0", 1)


def test_the_image_of_the_sandbox_follows_the_registry_move() -> None:
    assert versions.PAUSE_IMAGE.at(20).startswith("k8s.gcr.io/")
    assert versions.PAUSE_IMAGE.at(36).startswith("registry.k8s.io/")
