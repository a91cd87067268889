"""The lab as a Django app: only so that `manage.py lab` is found."""

from django.apps import AppConfig


class LabConfig(AppConfig):
    """The lab has no models and no pages."""

    name = "lab"
    label = "lab"
    verbose_name = "Lab"
