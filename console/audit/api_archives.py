"""/api/v1/audit-archives/: what left the table, for admins and auditors; nothing can be changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rest_framework import serializers, viewsets
from rest_framework.routers import BaseRouter

from console.audit.archive_file import path_of
from console.audit.models import Archive


class ArchiveSerializer(serializers.ModelSerializer[Archive]):
    """One archive as it was signed, and whether its file is there now."""

    is_there = serializers.SerializerMethodField()

    class Meta:
        model = Archive
        fields = (
            "start", "end", "first_time", "last_time", "file", "bytes", "sha256", "time", "key",
            "signature", "is_there",
        )  # fmt: skip
        read_only_fields = fields

    def get_is_there(self, row: Archive) -> bool:
        """Whether the file is in its folder; verifying tells whether it is the right one."""
        return path_of(row).is_file()


class ArchiveViewSet(viewsets.ReadOnlyModelViewSet[Archive]):
    """Archives by their first position, the newest first."""

    permissions: ClassVar[Mapping[str, str]] = {"list": "audit.view", "retrieve": "audit.view"}
    lookup_value_regex = "[0-9]{1,18}"
    queryset = Archive.objects.all()
    serializer_class = ArchiveSerializer
    cursor_ordering = "-start"


def register(router: BaseRouter) -> None:
    """Add the routes of the archives."""
    router.register("audit-archives", ArchiveViewSet, "audit-archive")
