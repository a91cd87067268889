"""The pages of custom kinds."""

from __future__ import annotations

from django.urls import path

from clusters import views_kinds

urlpatterns = [
    path("<int:pk>/kinds/choose/", views_kinds.choose, name="kinds-choose"),
]
