"""The clusters app: what it adds to pages, and what it has looked at now and then."""

from __future__ import annotations

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """What a cluster is, and the talk with API servers."""

    name = "clusters"

    def ready(self) -> None:
        from clusters import (
            import_page,
            notices,
            object_actions,
            page_parts,
            pages_fleet,
            places,
            terminal_audit,
        )
        from console.accounts import places as held_in_places
        from console.notices import expiry, rounds

        held_in_places.register(places.holds)
        page_parts.register()
        import_page.register()
        object_actions.register()
        pages_fleet.register()
        rounds.register(notices.scan, notices.SCAN_SECONDS)
        rounds.register(terminal_audit.close_lost, terminal_audit.LOOK_SECONDS)
        expiry.register(notices.credentials_expiring)
