"""The web process: pages and API through Django, live pages through Channels."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "console.settings")
django_application = get_asgi_application()

# Only after Django is set up may the apps' modules be imported.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import OriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402

import clusters.routing  # noqa: E402
import provisioning.routing  # noqa: E402
from console.audit.cause import WebsocketRequestId  # noqa: E402
from console.live.language import InLanguage  # noqa: E402
from console.live.nul import WithoutNul  # noqa: E402

websocket_urlpatterns = [
    *provisioning.routing.websocket_urlpatterns,
    *clusters.routing.websocket_urlpatterns,
]

application = ProtocolTypeRouter(
    {
        "http": django_application,
        # A page of another site may open a websocket with the visitor's cookies: only
        # our own origins are let in.
        "websocket": OriginValidator(
            WithoutNul(
                WebsocketRequestId(
                    AuthMiddlewareStack(InLanguage(URLRouter(websocket_urlpatterns)))
                )
            ),
            [*settings.ALLOWED_HOSTS, *settings.CSRF_TRUSTED_ORIGINS],
        ),
    }
)
