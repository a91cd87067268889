"""A text field that is encrypted at rest and has no representation anywhere else."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.query_utils import DeferredAttribute

from console.secrets.keyring import key_ring
from console.secrets.redact import MASK


class Sealed:
    """An encrypted value as it lies in the database. Shows itself as dots."""

    __slots__ = ("value",)

    def __init__(self, value: str) -> None:
        self.value = value

    def open(self) -> str:
        """The plain text. Raises SecretError when no key of the ring opens it."""
        return key_ring().decrypt(self.value)

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"<Sealed {MASK}>"


class _OpensOnAccess(DeferredAttribute):
    """Decrypts when the attribute is read, so that a list of rows decrypts nothing."""

    def __get__(self, instance: models.Model | None, cls: Any = None) -> Any:
        value = super().__get__(instance, cls)
        return value.open() if isinstance(value, Sealed) else value

    def __set__(self, instance: models.Model, value: Any) -> None:
        # Without a setter the instance's own dictionary would hide __get__.
        instance.__dict__[self.field.attname] = value


class EncryptedTextField(models.TextField):  # type: ignore[type-arg]
    """Text kept as `<key id>:<Fernet token>`; the empty text stays empty.

    Only reading the attribute of a loaded row gives the plain text: forms, serializers,
    value_to_string, values() and the admin never do.
    """

    descriptor_class = _OpensOnAccess

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("blank", True)
        kwargs.setdefault("default", "")
        kwargs["editable"] = False
        super().__init__(*args, **kwargs)

    def from_db_value(
        self, value: str | None, _expression: Any, _connection: Any
    ) -> Sealed | str | None:
        """The value still encrypted; reading the attribute opens it."""
        return Sealed(value) if value else value

    def pre_save(self, model_instance: models.Model, add: bool) -> Any:
        """What is to be written; a value that nobody changed stays encrypted as it is."""
        return model_instance.__dict__.get(self.attname, self.get_default())

    def get_prep_value(self, value: Any) -> Any:
        """The encrypted text that goes into the database."""
        if isinstance(value, Sealed):
            return value.value
        return key_ring().encrypt(str(value)) if value else value

    def value_to_string(self, _obj: models.Model) -> str:
        """Serialised copies (fixtures, dumps of objects) carry no secret."""
        return ""
