"""Refusals that many REST routes share."""

from __future__ import annotations

from django import forms
from rest_framework import exceptions, serializers, status


class Conflict(exceptions.APIException):
    """409: it cannot be done as things are."""

    status_code = status.HTTP_409_CONFLICT
    default_code = "conflict"


def form_problem(
    form: forms.BaseForm, prefix: str = "", **renamed: str
) -> serializers.ValidationError:
    """The errors of a form as the API gives them: messages by field, without the prefix.

    renamed: fields that the API calls otherwise, place="cluster".
    """
    named = {"__all__": "non_field_errors", **renamed}
    return serializers.ValidationError(
        {
            named.get(name, name.removeprefix(prefix)): [str(text) for text in errors]
            for name, errors in form.errors.items()
        }
    )
