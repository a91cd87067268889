"""The steps of an import as a browser and the watcher take them."""

from __future__ import annotations

import yaml

from clusters.inventory.imports import work
from clusters.models import Cluster, ClusterImport, ImportState
from tests.unit.clusters.hostile_ground import b64
from tests.unit.clusters.import_server import ImportServer

PAGE = "/clusters/import/"


def text_of(response) -> str:
    return response.content.decode()


def kubeconfig(*servers: ImportServer, token: str = "a-token") -> str:
    """One context for each server: c0, c1, and so on; c0 is the current one."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "c0",
            "clusters": [
                {
                    "name": f"c{n}",
                    "cluster": {
                        "server": server.endpoint,
                        "certificate-authority-data": b64(server.authority.crt),
                    },
                }
                for n, server in enumerate(servers)
            ],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [
                {"name": f"c{n}", "context": {"cluster": f"c{n}", "user": "u"}}
                for n in range(len(servers))
            ],
        }
    )


def give(client, text: str) -> ClusterImport:
    response = client.post(PAGE, {"way": "kubeconfig", "kubeconfig": text})
    assert response.status_code == 302, response.content.decode()
    row = ClusterImport.objects.get()
    assert response["Location"] == f"{PAGE}{row.pk}/"
    return row


def checked(client, text: str, **names: str) -> ClusterImport:
    """Given, chosen by {"name_0": name}, and checked by the watcher."""
    row = give(client, text)
    names = names or {"name_0": "shop"}
    numbers = [name.partition("_")[2] for name in names]
    fields = {key.replace("_", "-"): value for key, value in names.items()}
    answer = client.post(f"{PAGE}{row.pk}/", {"context": numbers, **fields})
    assert answer.status_code == 302, answer.content.decode()
    assert work() == 1
    row.refresh_from_db()
    assert row.state == ImportState.CHECKED
    return row


def save(client, row: ClusterImport, keep: str = "given"):
    return client.post(f"{PAGE}{row.pk}/save/", {"keep": keep}, follow=True)


def imported(client, server: ImportServer) -> Cluster:
    """A cluster "shop" that has just been imported."""
    save(client, checked(client, kubeconfig(server)))
    ClusterImport.objects.all().delete()
    return Cluster.objects.get()
