"""Rows of events, from both spellings: `series` and the older first, last and count."""

from __future__ import annotations

from clusters.inventory.raw import JSON, as_map, moment, text, whole
from clusters.models import ClusterEvent


def event_of(cluster_id: int, item: JSON) -> ClusterEvent | None:
    """The row of a core/v1 Event; None for what has no UID or no time."""
    metadata, about = as_map(item.get("metadata")), as_map(item.get("involvedObject"))
    series, source = as_map(item.get("series")), as_map(item.get("source"))
    uid = text(metadata.get("uid"), 64)
    times = (
        moment(item.get("firstTimestamp")),
        moment(item.get("eventTime")),
        moment(item.get("lastTimestamp")),
        moment(series.get("lastObservedTime")),
        moment(metadata.get("creationTimestamp")),
    )
    first, single, last, observed, created = times
    known = [time for time in times if time]
    if not uid or not known:
        return None
    component = text(item.get("reportingComponent")) or text(source.get("component"))
    return ClusterEvent(
        cluster_id=cluster_id,
        uid=uid,
        namespace=text(about.get("namespace"), 63) or text(metadata.get("namespace"), 63),
        about_kind=text(about.get("kind"), 63),
        about_name=text(about.get("name")),
        about_uid=text(about.get("uid"), 64),
        warning=item.get("type") == "Warning",
        reason=text(item.get("reason"), 128),
        message=text(item.get("message"), 4000),
        source=component or text(source.get("host")),
        count=max(1, whole(item.get("count")), whole(series.get("count"))),
        first=first or single or created or min(known),
        last=max(filter(None, (last, observed)), default=single or created or max(known)),
    )
