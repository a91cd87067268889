"""Encrypted fields: unreadable in the database, and no representation anywhere else."""

from __future__ import annotations

import pickle

import pytest
from django.core import serializers
from django.db import connection
from django.forms import modelform_factory
from rest_framework.serializers import ModelSerializer

from provisioning.models import SSHCredential
from tests.factories import SSHCredentialFactory

pytestmark = pytest.mark.django_db
CANARY = "canary-secret-4711"


@pytest.fixture
def key() -> SSHCredential:
    return SSHCredential.objects.get(pk=SSHCredentialFactory(private_key=CANARY).pk)


def stored(key: SSHCredential) -> str:
    with connection.cursor() as cursor:
        table = SSHCredential._meta.db_table
        cursor.execute(f"SELECT private_key FROM {table} WHERE id = %s", [key.pk])
        return cursor.fetchone()[0]


def test_reading_the_attribute_opens_it(key: SSHCredential) -> None:
    assert key.private_key == CANARY
    assert SSHCredential.objects.only("name").get(pk=key.pk).private_key == CANARY


def test_the_database_holds_it_encrypted(key: SSHCredential) -> None:
    assert CANARY not in stored(key)
    assert stored(key).partition(":")[2].startswith("gAAAA")


def test_saving_what_nobody_changed_writes_the_same(key: SSHCredential) -> None:
    before = stored(key)
    key.name = "renamed"
    key.save()
    assert stored(key) == before


def test_a_change_is_encrypted(key: SSHCredential) -> None:
    key.private_key = "another"
    key.save()
    assert "another" not in stored(key)
    assert SSHCredential.objects.get(pk=key.pk).private_key == "another"


def test_the_empty_text_stays_empty(key: SSHCredential) -> None:
    key.private_key = ""
    key.save()
    assert stored(key) == ""


def test_copies_of_rows_carry_no_secret(key: SSHCredential) -> None:
    assert CANARY not in serializers.serialize("json", [key])
    assert CANARY not in str(list(SSHCredential.objects.values()))
    assert CANARY not in str(key.__dict__)
    assert CANARY.encode() not in pickle.dumps(key)


def test_forms_and_serializers_made_from_the_model_do_not_have_it(key: SSHCredential) -> None:
    form = modelform_factory(SSHCredential, fields="__all__")(instance=key)
    assert "private_key" not in form.fields
    assert CANARY not in form.as_p()

    class Everything(ModelSerializer):
        class Meta:
            model = SSHCredential
            fields = "__all__"

    assert CANARY not in str(Everything(key).data)


def test_two_rows_with_the_same_secret_look_different() -> None:
    one, two = SSHCredentialFactory(private_key=CANARY), SSHCredentialFactory(private_key=CANARY)
    assert stored(one) != stored(two)
