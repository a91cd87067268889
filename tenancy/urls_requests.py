"""The addresses of requests and of the policies that approve them."""

from __future__ import annotations

from django.urls import path

from tenancy import views_policies, views_requests

app_name = "requests"
urlpatterns = [
    path("", views_requests.requests, name="list"),
    path("<int:pk>/", views_requests.request_detail, name="request"),
    path("<int:pk>/withdraw/", views_requests.request_withdraw, name="withdraw"),
    path("ask/<slug:slug>/quota/", views_requests.ask_quota, name="ask-quota"),
    path("ask/<slug:slug>/place/", views_requests.ask_place, name="ask-place"),
    path("ask/<slug:slug>/namespace/", views_requests.ask_namespace, name="ask-namespace"),
    path("ask/<slug:slug>/member/", views_requests.ask_member, name="ask-member"),
    path("policies/", views_policies.policies, name="policies"),
    path("policies/add/", views_policies.policy_add, name="policy-add"),
    path("policies/<int:pk>/", views_policies.policy_edit, name="policy-edit"),
    path("policies/<int:pk>/remove/", views_policies.policy_remove, name="policy-remove"),
]
