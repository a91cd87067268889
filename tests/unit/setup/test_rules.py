"""Templates with inline code do not pass `make lint`."""

from __future__ import annotations

import pytest

from console.setup.rules import check_template


@pytest.mark.parametrize(
    ("markup", "word"),
    [
        ("<script>alert(1)</script>", "inline script"),
        ('<script type="module">\nimport "x"</script>', "inline script"),
        ("<style>p {}</style>", "style sheet"),
        ('<p class="a" style="color: red">', "inline style"),
        ('<button onclick="go()">', "handler"),
        ('<form\n  onsubmit="go()">', "handler"),
        ('<a href="javascript:go()">', "script in an address"),
        ('<a hx-on:click="go()">', "htmx handler"),
        ("{{ log|safe }}", "escaping"),
        ("{% autoescape off %}", "escaping"),
    ],
)
def test_it_finds(markup: str, word: str) -> None:
    assert any(word in why for _line, why in check_template(markup))


@pytest.mark.parametrize(
    "markup",
    [
        '<script type="module" src="{% static \'js/log.js\' %}"></script>',
        '<p class="lifestyle" data-once="yes">style= onclick=</p>',
        '{# <script>x</script> #}<!-- <p style="x"> -->{% comment %}<style>{% endcomment %}',
        '<link rel="stylesheet" href="x.css">',
    ],
)
def test_it_lets_pass(markup: str) -> None:
    assert list(check_template(markup)) == []


def test_it_counts_lines_past_comments() -> None:
    assert [line for line, _ in check_template("{# a\n\n#}\n<style>")] == [4]
