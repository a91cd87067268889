"""Static files under names that hold their hash, so that browsers keep them for ever."""

from __future__ import annotations

from django.contrib.staticfiles.storage import HashedFilesMixin
from whitenoise.storage import CompressedManifestStaticFilesStorage


class HashedStorage(CompressedManifestStaticFilesStorage):
    """Also rewrites what our ES modules import: no page mixes modules of two versions."""

    support_js_module_import_aggregation = True
    # Our own modules only: packages name imports in comments that lead to no file.
    _js_module_import_aggregation_patterns = (
        "js/*.js",
        HashedFilesMixin._js_module_import_aggregation_patterns[1],  # type: ignore[attr-defined]
    )
