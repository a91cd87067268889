"""Each test has its own folder of releases."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _releases(settings, tmp_path):
    settings.RELEASES_DIR = tmp_path / "releases"
