"""The OpenAPI description, and the answer for addresses that it does not have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from console.accounts.permissions import PUBLIC, SIGNED_IN, Declared


class SchemaView(SpectacularAPIView):
    """The OpenAPI description, for everybody who is signed in."""

    # The library's own default lets everybody in.
    permission_classes = (Declared,)
    permissions: ClassVar[Mapping[str, str]] = {"get": SIGNED_IN}


class UnknownRoute(APIView):
    """Answers an address under /api/ that nothing serves with a problem, not with a page."""

    permissions: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("get", "post", "put", "patch", "delete"), PUBLIC
    )
    schema = None

    def get(self, _request: Request, **_kwargs: Any) -> Response:
        """404."""
        raise Http404

    post = put = patch = delete = get
