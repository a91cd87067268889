from django.apps import AppConfig


class SecretsConfig(AppConfig):
    """Encrypted fields and the key ring."""

    name = "console.secrets"
    label = "secrets"
