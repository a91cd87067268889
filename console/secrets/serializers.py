"""How a secret shows itself in the API: not at all."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from console.secrets.redact import MASK


class SecretField(serializers.CharField):
    """What ModelSerializer makes of an EncryptedTextField: dots when it is set."""

    def to_representation(self, value: Any) -> str:
        """Dots, or the empty text."""
        return MASK if value else ""
