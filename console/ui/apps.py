from django.apps import AppConfig


class UIConfig(AppConfig):
    """Template tags, page components, table and filter helpers."""

    name = "console.ui"
    label = "ui"
