from django.apps import AppConfig


class SecretsConfig(AppConfig):
    """Encrypted fields and the key ring."""

    name = "console.secrets"
    label = "secrets"

    def ready(self) -> None:
        """Serializers made from a model show that a secret is set and not which."""
        from rest_framework.serializers import ModelSerializer

        from console.secrets.fields import EncryptedTextField
        from console.secrets.serializers import SecretField

        ModelSerializer.serializer_field_mapping[EncryptedTextField] = SecretField
