"""The kubernetes library, imported late, and by one thread at a time.

Late, because it is 35 MiB that only processes which talk to clusters should
carry. One at a time, because its packages import each other in a circle: two
threads that begin at different ends of it wait for each other, Python breaks
that deadlock by an error, and the half-imported package stays broken for as
long as the process lives.
"""

from __future__ import annotations

import threading
from types import ModuleType

_importing = threading.Lock()


def client() -> ModuleType:
    """The package kubernetes.client, with all that connections need of it."""
    with _importing:
        # The whole first: kubernetes.client alone looks finished before it is.
        import kubernetes
        import kubernetes.client.exceptions
        import kubernetes.utils.keepalive

        found: ModuleType = kubernetes.client
        # Loads what is loaded on first use, too.
        found.ApiClient, found.Configuration  # noqa: B018
        return found
