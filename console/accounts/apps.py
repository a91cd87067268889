from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Users, sign-in, platform roles and API tokens."""

    name = "console.accounts"
    label = "accounts"
