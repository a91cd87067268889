from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    """Turns hosts into clusters."""

    name = "provisioning"

    def ready(self) -> None:
        """Register the operations and this app's tabs on a cluster's page."""
        from provisioning import (  # noqa: F401
            cluster_pages,
            operation_clusters,
            operation_hosts,
            operation_releases,
        )

        cluster_pages.register()
