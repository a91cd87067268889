from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, sign-in, platform roles and API tokens."""

    name = "console.accounts"
    label = "accounts"

    def ready(self) -> None:
        """Connect the signals and the system checks."""
        # The models must be loaded before these can be imported.
        from console import checks  # noqa: F401
        from console.accounts import schema, signals  # noqa: F401
