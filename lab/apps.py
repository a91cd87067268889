"""The lab as a Django app: `manage.py lab`, and the demo's tasks."""

from django.apps import AppConfig


class LabConfig(AppConfig):
    """The lab has no models and no pages."""

    name = "lab"
    label = "lab"
    verbose_name = "Lab"

    def ready(self) -> None:
        """Register the lab's operations and its power switch: every worker and page may have to
        name them."""
        from lab import operations, power  # noqa: F401 - importing registers
