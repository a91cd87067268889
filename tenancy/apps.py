"""The tenancy app: what it adds to the pages of others."""

from __future__ import annotations

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Tenants and what is theirs."""

    name = "tenancy"
