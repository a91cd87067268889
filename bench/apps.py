from django.apps import AppConfig


class BenchConfig(AppConfig):
    """Makes the measurements' operations known to the worker."""

    name = "bench"

    def ready(self) -> None:
        from bench import operations  # noqa: F401 (registers them)
