from django.apps import AppConfig
from django.utils.translation import gettext


class ProvisioningConfig(AppConfig):
    """Turns hosts into clusters."""

    name = "provisioning"

    def ready(self) -> None:
        """Register the operations, the tabs on a cluster's page, who translates the pure core."""
        from provisioning import (  # noqa: F401
            cluster_pages,
            operation_clusters,
            operation_hosts,
            operation_releases,
            texts,
        )

        texts.use(gettext)
        cluster_pages.register()
