"""The clusters app."""

from django.apps import AppConfig


class ClustersConfig(AppConfig):
    """What a cluster is, and the talk with API servers."""

    name = "clusters"
