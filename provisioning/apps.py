from django.apps import AppConfig
from django.utils.translation import gettext


class ProvisioningConfig(AppConfig):
    """Turns hosts into clusters."""

    name = "provisioning"

    def ready(self) -> None:
        """Register the operations, the tabs on a cluster's page, who translates the pure core."""
        from clusters import busy
        from provisioning import (  # noqa: F401
            action_nodes,
            cluster_pages,
            kinds_membership,
            operation_clusters,
            operation_hosts,
            operation_releases,
            operations,
            texts,
        )

        busy.register(operations.busy)
        texts.use(gettext)
        cluster_pages.register()
