"""How bodies of REST requests are read; apart, because the REST framework's views import it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser


class JsonParser(JSONParser):
    """JSON; what is nested too deep to be read is the sender's fault (400)."""

    def parse(self, *args: Any, **named: Any) -> Any:
        """The body's value. Raises ParseError."""
        try:
            return super().parse(*args, **named)
        except RecursionError:
            raise ParseError(_("The body is nested too deep.")) from None
