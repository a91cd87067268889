from django.apps import AppConfig
from django.utils.translation import gettext


class ProvisioningConfig(AppConfig):
    """Turns hosts into clusters."""

    name = "provisioning"

    def ready(self) -> None:
        """Register the operations, the tabs on a cluster's page, who translates the pure core."""
        from clusters import busy
        from console.notices import expiry, rounds
        from provisioning import (  # noqa: F401
            action_drill,
            action_entry,
            action_nodes,
            action_upgrade,
            cluster_pages,
            drain_action,
            kinds_certificates,
            kinds_drill,
            kinds_membership,
            kinds_upgrade,
            membership_page,
            notices,
            operation_cleanup,
            operation_clusters,
            operation_drain,
            operation_hosts,
            operation_manifests,
            operation_pages,
            operation_releases,
            operation_snapshots,
            operation_upgrade,
            operations,
            search_sources,
            snapshots_page,
            texts,
            views_cluster_audit,
            views_drills,
        )

        busy.register(operations.busy)
        expiry.register(notices.certificates_expiring)
        expiry.register(notices.ssh_keys_expiring)
        rounds.register(notices.scan_snapshots, notices.SNAPSHOT_SECONDS)
        texts.use(gettext)
        cluster_pages.register()
        drain_action.register()
        membership_page.register()
        operation_pages.register()
        snapshots_page.register()
        search_sources.register()
        views_drills.register()
        views_cluster_audit.register()
