"""Rows of volumes, claims, storage classes, config maps and secrets."""

from __future__ import annotations

from clusters.inventory.raw import JSON, as_map, filled, text, texts
from clusters.inventory.told import Told
from clusters.models import Health

DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
OLD_CLASS = "volume.beta.kubernetes.io/storage-class"
CLAIM_HEALTH = {"Bound": Health.GOOD, "Pending": Health.MOVING, "Lost": Health.BAD}
VOLUME_HEALTH = {
    "Available": Health.GOOD,
    "Bound": Health.GOOD,
    "Pending": Health.MOVING,
    "Released": Health.WARN,  # kept, and nobody can claim it
    "Failed": Health.BAD,
}
# Fields of a volume's spec that are no source.
NO_SOURCE = ("capacity", "claimRef", "nodeAffinity")


def claim(item: JSON) -> Told:
    """A persistent volume claim."""
    metadata, spec, status = (as_map(item.get(p)) for p in ("metadata", "spec", "status"))
    phase = text(status.get("phase"), 32)
    requests = as_map(as_map(spec.get("resources")).get("requests"))
    annotated = as_map(metadata.get("annotations")).get(OLD_CLASS)
    summary = {
        "phase": phase,
        "requested": text(requests.get("storage"), 64),
        "capacity": text(as_map(status.get("capacity")).get("storage"), 64),
        "class": text(spec.get("storageClassName")) or text(annotated),
        "volume": text(spec.get("volumeName")),
        "modes": texts(spec.get("accessModes"), 8),
    }
    return Told(phase, CLAIM_HEALTH.get(phase, Health.NONE), summary=filled(summary))


def volume(item: JSON) -> Told:
    """A persistent volume; claim: "namespace/name"."""
    spec, status = as_map(item.get("spec")), as_map(item.get("status"))
    phase = text(status.get("phase"), 32)
    bound = as_map(spec.get("claimRef"))
    claimed = f"{text(bound.get('namespace'))}/{text(bound.get('name'))}" if bound else ""
    summary = {
        "phase": phase,
        "capacity": text(as_map(spec.get("capacity")).get("storage"), 64),
        "class": text(spec.get("storageClassName")),
        "claim": claimed,
        "modes": texts(spec.get("accessModes"), 8),
        "reclaim": text(spec.get("persistentVolumeReclaimPolicy"), 32),
        "source": _source(spec),
        "message": text(status.get("message"), 1000),
    }
    return Told(phase, VOLUME_HEALTH.get(phase, Health.NONE), summary=filled(summary))


def _source(spec: JSON) -> str:
    """ "nfs host:/path", "csi driver", "hostPath /data": the kind and where it is."""
    for kind, raw in spec.items():
        if not isinstance(raw, dict) or kind in NO_SOURCE:
            continue
        place = text(raw.get("driver")) or text(raw.get("path"))
        if kind == "nfs":
            place = f"{text(raw.get('server'))}:{place}"
        return f"{text(kind, 63)} {place}".strip()
    return ""


def storage_class(item: JSON) -> Told:
    """A storage class."""
    annotations = as_map(as_map(item.get("metadata")).get("annotations"))
    summary = {
        "provisioner": text(item.get("provisioner")),
        "default": annotations.get(DEFAULT_CLASS) == "true",
        "reclaim": text(item.get("reclaimPolicy"), 32) or "Delete",
        "binding": text(item.get("volumeBindingMode"), 32) or "Immediate",
        "expansion": item.get("allowVolumeExpansion") is True,
    }
    return Told(summary=filled(summary))


def config_map(_item: JSON) -> Told:
    """A config map: nothing besides its metadata, since its values never cross the wire."""
    return Told()


def secret(item: JSON) -> Told:
    """A secret: its type, which the collection of secrets takes from a table's cell."""
    return Told(summary=filled({"type": text(item.get("type"))}))
