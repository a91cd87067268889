"""The tenancy app: what it adds to the pages of others."""

from __future__ import annotations

from django.apps import AppConfig


class TenancyConfig(AppConfig):
    """Tenants and what is theirs."""

    name = "tenancy"

    def ready(self) -> None:
        from clusters import ending, upkeep
        from clusters import places as clusters_places
        from console.accounts import group_actions
        from console.notices import audiences as notice_audiences
        from console.notices import expiry, rounds
        from tenancy import (
            audiences,
            cluster_ends,
            dry_runs,
            group_uses,
            kubeconfig_expiry,
            kubeconfigs,
            places,
            pod_security_policies,
            proof_run,
            reconcile,
            request_actions,
            search_sources,
            use_samples,
        )

        ending.register(cluster_ends.dependents, cluster_ends.leave)
        # Before the namespaces: nobody gets into one whose policy does not hold yet.
        upkeep.register("pod security policies", pod_security_policies.keep)
        upkeep.register("namespaces", reconcile.keep)
        upkeep.register("dry runs", dry_runs.keep)
        upkeep.register("kubeconfigs", kubeconfigs.keep)
        upkeep.register("isolation proofs", proof_run.keep)
        clusters_places.register(places.Tenancy())
        group_actions.register(group_uses.uses)
        search_sources.register()
        expiry.register(kubeconfig_expiry.expiring)
        notice_audiences.register(audiences.of)
        rounds.register(request_actions.look, 30.0)
        rounds.register(use_samples.look, 300.0)
