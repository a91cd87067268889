"""Pages that follow what changes: the whole page once, then the parts that may have changed."""

from __future__ import annotations

import hashlib
import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

# Relative times pass by without anything having changed.
_TIME = re.compile(r"(<time[^>]*>)[^<]*")


def live_page(
    request: HttpRequest, page: str, part: str, context: dict[str, Any], rows: str = ""
) -> HttpResponse:
    """The whole page, or for its own poll (?live=stamp) the parts that may have changed.

    part is the template of what the page's `live` is; rows, where there is one, of
    its `live_rows`, below what must stay as it is (a filter that somebody types
    into). 204 tells htmx to leave everything alone, the reader's selection
    included; a list's "seen 12 s ago" is sent all the same.
    """
    known = request.GET.get("live", "")
    query = request.GET.copy()
    query.pop("live", None)
    # The poll's own parameter is in no link and no filter.
    request.GET = query  # type: ignore[assignment]
    parts = {"live": render_to_string(part, context, request)}
    if rows:
        parts["live_rows"] = render_to_string(rows, context, request)
    whole = "\0".join(_TIME.sub(r"\1", html) for html in parts.values())
    stamp = hashlib.sha256(whole.encode()).hexdigest()[:16]
    query["live"] = stamp
    context |= {**parts, "live_url": f"{request.path}?{query.urlencode()}"}
    if not known:
        return render(request, page, context)
    context["oob"] = True
    if known != stamp:
        return render(request, "clusters/live.html", context)
    if "fresh" not in context:
        return HttpResponse(status=204)
    answer = render(request, "clusters/fresh.html", context)
    answer["HX-Reswap"] = "none"
    return answer
