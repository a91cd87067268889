"""The pages that import clusters, replace their credentials and forget them."""

from __future__ import annotations

from django.urls import path

from clusters import views_forget, views_imports

urlpatterns = [
    path("import/", views_imports.begin, name="import"),
    path("import/<int:number>/", views_imports.one, name="import-detail"),
    path("import/<int:number>/live/", views_imports.live, name="import-live"),
    path("import/<int:number>/save/", views_imports.save, name="import-save"),
    path("<int:pk>/credentials/", views_imports.replace, name="credentials"),
    path("<int:pk>/forget/", views_forget.forget, name="forget"),
    path("<int:pk>/forget/there/", views_forget.made_there, name="forget-there"),
]
