"""A good kubeconfig, for hostile ones to be made from."""

from __future__ import annotations

import base64

import yaml

from tests.unit.clusters.authority import Authority

CA = Authority("hostile")
PAIR = CA.client("hostile")
OTHER = CA.client("other")
# What runs, is read or is called leaves a trace that test_hostile_kubeconfigs looks for.
MARK = "/tmp/flotilla-hostile-mark"
HOST = "192.0.2.10"


def b64(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def config(**changes: object) -> dict:
    """A good kubeconfig with changes: cluster__x, user__x, context__x, or a top field."""
    cluster: dict = {"server": f"https://{HOST}:6443", "certificate-authority-data": b64(CA.crt)}
    user: dict = {"token": "good-token"}
    context: dict = {"cluster": "c", "user": "u"}
    top: dict = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "x",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": context}],
    }
    parts = {"cluster": cluster, "user": user, "context": context}
    for name, value in changes.items():
        part, _, key = name.partition("__")
        place, key = (parts[part], key) if key else (top, part)
        key = key.replace("_", "-") if key not in ("tokenFile",) else key
        if value is None:
            place.pop(key, None)
        else:
            place[key] = value
    return top


def text(**changes: object) -> str:
    return yaml.safe_dump(config(**changes), sort_keys=False)


GOOD = text()
Case = tuple[str, "str | bytes", str]
