from django.apps import AppConfig


class LiveConfig(AppConfig):
    """Websocket plumbing shared by every live page."""

    name = "console.live"
    label = "live"
