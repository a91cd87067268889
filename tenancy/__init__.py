"""Tenants: who has which share of the fleet, their members, namespaces, quotas and requests."""
