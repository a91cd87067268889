"""Files of the console in a folder of each test's own: tests run side by side."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _own_releases(settings, tmp_path):
    settings.RELEASES_DIR = tmp_path / "releases"
