"""Addresses of sign-in, the own profile, API tokens and users."""

from __future__ import annotations

from django.urls import path

from console.accounts import views

app_name = "accounts"

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
]
