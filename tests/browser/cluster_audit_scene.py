"""A cluster with one control plane that can be read by SSH: port, host key, file of the key."""

from __future__ import annotations

import sys
from pathlib import Path

import django

django.setup()

from clusters.models import Origin  # noqa: E402
from provisioning.models import HostState  # noqa: E402
from provisioning.models_hosts import ClusterRole  # noqa: E402
from tests.factories import ClusterFactory, HostFactory, SSHCredentialFactory  # noqa: E402


def main(port: str, host_key: str, key: str) -> None:
    row = ClusterFactory(name="written-down", origin=Origin.PROVISIONED)
    credential = SSHCredentialFactory(
        name="control-planes", username="root", private_key=Path(key).read_text()
    )
    for name, address, at in (("plane-1", "127.0.0.1", port), ("plane-2", "127.0.0.2", "1")):
        HostFactory(
            name=name, address=address, port=int(at), host_key=host_key, credential=credential,
            cluster=row, cluster_role=ClusterRole.CONTROL_PLANE, state=HostState.READY,
        )  # fmt: skip
    print(row.pk)


if __name__ == "__main__":
    main(*sys.argv[1:])
