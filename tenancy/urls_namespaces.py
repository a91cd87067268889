"""The addresses of tenants' namespaces."""

from __future__ import annotations

from django.urls import path

from tenancy import views_contents, views_fit, views_proofs
from tenancy import views_namespace_ends as ends
from tenancy import views_namespaces as views
from tenancy import views_quick_start as quick_start

app_name = "namespaces"
urlpatterns = [
    path("", views.namespaces, name="list"),
    path("add/", views.namespace_add, name="add"),
    path("adopt/", views.namespace_adopt, name="adopt"),
    path("<int:pk>/", views.namespace, name="namespace"),
    path("<int:pk>/contents/", views_contents.contents, name="contents"),
    path("<int:pk>/fit/", views_fit.will_it_fit, name="fit"),
    path("<int:pk>/prove/", views_proofs.prove, name="prove"),
    path("<int:pk>/prove/cancel/", views_proofs.cancel, name="prove-cancel"),
    path("<int:pk>/quick-start/", quick_start.quick_start, name="quick-start"),
    path("<int:pk>/quick-start/<slug:name>/", quick_start.deployed, name="deployed"),
    path("<int:pk>/quick-start/<slug:name>/edit/", quick_start.edit, name="deployed-edit"),
    path("<int:pk>/quick-start/<slug:name>/remove/", quick_start.remove, name="deployed-remove"),
    path("<int:pk>/edit/", views.namespace_edit, name="edit"),
    path("<int:pk>/move/", ends.namespace_move, name="move"),
    path("<int:pk>/mend/", ends.namespace_mend, name="mend"),
    path("<int:pk>/accept/", ends.namespace_accept, name="accept"),
    path("<int:pk>/release/", ends.namespace_release, name="release"),
    path("<int:pk>/delete/", ends.namespace_delete, name="delete"),
]
