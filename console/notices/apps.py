from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NoticesConfig(AppConfig):
    """What the console tells people, in its pages, by webhook and by e-mail."""

    name = "console.notices"
    label = "notices"
    verbose_name = _("notifications")

    def ready(self) -> None:
        from console.notices import expiry, tokens

        expiry.register(tokens.expiring)
