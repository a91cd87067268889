"""Pages of events for the REST API: by key; what no index finds is looked for in parts."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions
from rest_framework.pagination import Cursor
from rest_framework.request import Request

from console.audit.filters import AuditEventFilter
from console.audit.lookback import Found, look
from console.ui.api import CursorPage


class AuditEventPage(CursorPage):
    """`{next, previous, results}`; a search's page may be short, or empty, and have a next one.

    That one goes on looking where the time of this one was up. Searches only go to older events.
    """

    _found: Found | None = None

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> Any:
        """One page. Raises NotFound for a cursor that was not made here."""
        filters = AuditEventFilter(request.query_params, queryset=queryset)
        if not (filters.is_valid() and filters.searches):
            return super().paginate_queryset(queryset, request, view)
        self.base_url = request.build_absolute_uri()
        cursor = self.decode_cursor(request)
        try:
            beyond = int(cursor.position) if cursor and cursor.position else None
        except ValueError:
            raise exceptions.NotFound(self.invalid_cursor_message) from None
        self._found = look(queryset, beyond, self.get_page_size(request) or self.page_size)
        return self._found.rows

    def get_next_link(self) -> str | None:
        """The address of the next page, or None."""
        found = self._found
        if found is None:
            return super().get_next_link()
        if not found.more:
            return None
        place = found.rows[-1].pk if found.full else found.edge
        return self.encode_cursor(Cursor(offset=0, reverse=False, position=place))

    def get_previous_link(self) -> str | None:
        """The address of the page before, or None."""
        return super().get_previous_link() if self._found is None else None
