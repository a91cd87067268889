"""Addresses of sign-in, the own profile, API tokens and users."""

from __future__ import annotations

from django.urls import path

from console.accounts import views, views_groups, views_tokens, views_users

app_name = "accounts"

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("settings/profile/", views.profile, name="profile"),
    path("settings/password/", views.password, name="password"),
    path("settings/confirm-password/", views.confirm_password, name="confirm-password"),
    path("settings/tokens/", views_tokens.tokens, name="tokens"),
    path("settings/tokens/create/", views_tokens.token_create, name="token-create"),
    path("settings/tokens/<int:pk>/revoke/", views_tokens.token_revoke, name="token-revoke"),
    path("settings/users/", views_users.users, name="users"),
    path("settings/users/create/", views_users.user_create, name="user-create"),
    path("settings/users/<int:pk>/", views_users.user_edit, name="user-edit"),
    path(
        "settings/users/<int:pk>/reset-password/",
        views_users.user_reset_password,
        name="user-reset-password",
    ),
    path("settings/groups/", views_groups.groups, name="groups"),
    path("settings/groups/create/", views_groups.group_create, name="group-create"),
    path("settings/groups/<int:pk>/", views_groups.group, name="group"),
    path("settings/groups/<int:pk>/rename/", views_groups.group_rename, name="group-rename"),
    path("settings/groups/<int:pk>/people/", views_groups.group_add_person, name="group-add"),
    path(
        "settings/groups/<int:pk>/people/<int:user_pk>/remove/",
        views_groups.group_take_out,
        name="group-take-out",
    ),
    path("settings/groups/<int:pk>/remove/", views_groups.group_remove, name="group-remove"),
]
