"""The tenancy app: what it adds to the pages of others."""

from __future__ import annotations

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Tenants and what is theirs."""

    name = "tenancy"

    def ready(self) -> None:
        from clusters import upkeep
        from tenancy import reconcile

        upkeep.register("namespaces", reconcile.keep)
