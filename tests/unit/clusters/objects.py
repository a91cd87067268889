"""Objects as API servers show them."""

from __future__ import annotations


def made(kind: str, name: str, namespace: str = "default", **parts: object) -> dict:
    """Any object: made("ConfigMap", "a", data={...})."""
    metadata: dict = {"name": name, "uid": f"{kind}-{namespace}-{name}".lower()}
    if namespace:
        metadata["namespace"] = namespace
    metadata |= {"creationTimestamp": "2026-01-02T03:04:05Z", **parts.pop("metadata", {})}
    return {"kind": kind, "metadata": metadata, **parts}


def pod(name: str, namespace: str = "default", word: str = "Running", **parts: object) -> dict:
    """A pod of one container that runs, or waits with the word as its reason."""
    running = word == "Running"
    state = {"running": {"startedAt": "2026-01-02T03:04:05Z"}} if running else {
        "waiting": {"reason": word}
    }  # fmt: skip
    return made(
        "Pod",
        name,
        namespace,
        spec={"nodeName": "n1", "containers": [{"name": "web", "image": "shop/web:1"}]},
        status={
            "phase": "Running",
            "podIP": "10.244.0.7",
            "containerStatuses": [
                {"name": "web", "ready": running, "restartCount": 0, "state": state}
            ],
        },
        **parts,
    )
