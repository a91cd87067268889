from django.apps import AppConfig
from django.utils.translation import gettext


class ProvisioningConfig(AppConfig):
    """Turns hosts into clusters."""

    name = "provisioning"

    def ready(self) -> None:
        """Register the operations, the tabs on a cluster's page, who translates the pure core."""
        from clusters import busy
        from provisioning import (  # noqa: F401
            action_drill,
            action_entry,
            action_nodes,
            action_upgrade,
            cluster_pages,
            kinds_certificates,
            kinds_drill,
            kinds_membership,
            kinds_upgrade,
            membership_page,
            operation_cleanup,
            operation_clusters,
            operation_hosts,
            operation_pages,
            operation_releases,
            operation_snapshots,
            operation_upgrade,
            operations,
            snapshots_page,
            texts,
            views_drills,
        )

        busy.register(operations.busy)
        texts.use(gettext)
        cluster_pages.register()
        membership_page.register()
        operation_pages.register()
        snapshots_page.register()
        views_drills.register()
