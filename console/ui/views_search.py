"""The page of search; it works without a script, static/js/search.js adds the keyboard."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from console.accounts.permissions import SIGNED_IN, requires
from console.ui.search import LONGEST, OPERATORS, Found, parse, search


@requires(GET=SIGNED_IN)
def search_page(request: HttpRequest) -> HttpResponse:
    """What was found for ?q=; htmx gets the results alone."""
    text = request.GET.get("q", "")[:LONGEST].strip()
    query = parse(text)
    found = search(request.user, query) if query else Found([])
    context = {
        "query": text,
        "groups": found.groups,
        "complete": found.complete,
        "hits": sum(len(group.hits) for group in found.groups),
        "operators": OPERATORS,
    }
    part = request.headers.get("HX-Request") == "true"
    return render(request, "search/_results.html" if part else "search/page.html", context)
