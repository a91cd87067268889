from django.apps import AppConfig


class ProvisioningConfig(AppConfig):
    """Turns hosts into clusters."""

    name = "provisioning"
