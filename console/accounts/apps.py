from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, sign-in, platform roles and API tokens."""

    name = "console.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the signals and the system checks."""
        from console.accounts import signals  # noqa: F401
