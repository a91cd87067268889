"""The addresses of tenants."""

from __future__ import annotations

from django.urls import path

from tenancy import views, views_audit, views_grants, views_members

app_name = "tenants"
urlpatterns = [
    path("", views.tenants, name="list"),
    path("add/", views.tenant_add, name="add"),
    path("<slug:slug>/", views.tenant, name="tenant"),
    path("<slug:slug>/audit/", views_audit.audit, name="audit"),
    path("<slug:slug>/audit/export/", views_audit.export, name="audit-export"),
    path("<slug:slug>/settings/", views.settings, name="settings"),
    path("<slug:slug>/edit/", views.tenant_edit, name="edit"),
    path("<slug:slug>/freeze/", views.tenant_freeze, name="freeze"),
    path("<slug:slug>/unfreeze/", views.tenant_unfreeze, name="unfreeze"),
    path("<slug:slug>/delete/", views.tenant_delete, name="delete"),
    path("<slug:slug>/members/", views_members.members, name="members"),
    path("<slug:slug>/members/add/", views_members.member_add, name="member-add"),
    path("<slug:slug>/members/<int:pk>/", views_members.member_change, name="member-change"),
    path("<slug:slug>/members/<int:pk>/remove/", views_members.member_remove, name="member-remove"),
    path("<slug:slug>/clusters/", views_grants.clusters, name="clusters"),
    path("<slug:slug>/clusters/add/", views_grants.grant_add, name="grant-add"),
    path("<slug:slug>/clusters/<int:cluster>/", views_grants.grant, name="grant"),
    path(
        "<slug:slug>/clusters/<int:cluster>/withdraw/",
        views_grants.grant_withdraw,
        name="grant-withdraw",
    ),
    path("<slug:slug>/clusters/<int:cluster>/quota/", views_grants.quota, name="quota-on"),
    path("<slug:slug>/quota/", views_grants.quota, name="quota"),
]
