"""The two addresses that the card links to, as the pages of objects name them."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import include, path

PLACE = "clusters/<int:pk>/objects/<str:resource>/<str:namespace>/<str:name>/"


def page(request: HttpRequest, **place: str) -> HttpResponse:
    return HttpResponse()


objects = [path(PLACE, page, name="object"), path(f"{PLACE}<slug:tab>/", page, name="object-tab")]
urlpatterns = [path("", include((objects, "clusters")))]
