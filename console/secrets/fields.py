"""A text field that is encrypted at rest and has no representation anywhere else."""

from __future__ import annotations

from typing import Any

from django.db import models

from console.secrets.keyring import key_ring


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text kept as `<key id>:<Fernet token>`; the empty text stays empty.

    Only the attribute of a loaded row holds the plain text: forms, serializers,
    value_to_string and the admin never do.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", "")
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def from_db_value(self, value: str | None, _expression: Any, _connection: Any) -> str | None:
        """The plain text. Raises SecretError when no key of the ring opens it."""
        return key_ring().decrypt(value) if value else value

    def get_prep_value(self, value: Any) -> Any:
        """The encrypted text that goes into the database."""
        return key_ring().encrypt(value) if value else value

    def value_to_string(self, _obj: models.Model) -> str:
        """Serialised copies (fixtures, dumps of objects) carry no secret."""
        return ""
