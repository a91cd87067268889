"""What REST routes share that pass a body to a form: its reading, and their refusals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers, status
from rest_framework.request import Request


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


def form_body(request: Request, *, lists: bool = False) -> dict[str, Any]:
    """The body as a form takes it: plain values, and with `lists` lists of texts.

    Raises ValidationError for anything else.
    """
    if not isinstance(request.data, Mapping):
        raise serializers.ValidationError(_("The body must be an object."))
    body: dict[str, Any] = {}
    for name in request.data:
        value = request.data[name]
        if lists and isinstance(value, list) and all(isinstance(item, str) for item in value):
            body[str(name)] = value
        elif isinstance(value, dict | list):
            raise serializers.ValidationError({str(name): [_("A plain value is wanted.")]})
        else:
            body[str(name)] = "" if value is None else value
    return body
