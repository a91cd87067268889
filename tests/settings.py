"""The console's own settings, made fast and self-contained for tests."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

_home = Path(tempfile.mkdtemp(prefix="flotilla-tests-"))
if "PYTEST_XDIST_WORKER" in os.environ:
    # Inherited from the process that started this one: two must not share a folder.
    os.environ.pop("FLOTILLA_DATA", None)
os.environ.setdefault("FLOTILLA_DATA", str(_home / "var"))
os.environ.setdefault("FLOTILLA_SECRET_KEY", "tests-only-0123456789-0123456789-0123456789")

from console.settings import *  # noqa: E402, F403
from console.settings import DATABASES, MIDDLEWARE, STORAGES  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# Names stay as they are: no test depends on `collectstatic` having run.
STORAGES = {
    **STORAGES,
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
MIDDLEWARE = [name for name in MIDDLEWARE if not name.startswith("whitenoise.")]
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1", "[::1]"]

# A file as in real life: threads that share an in-memory database do not wait for each
# other, they fail at once with "table is locked".
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["TEST"] = {"NAME": str(_home / "tests.sqlite3")}
