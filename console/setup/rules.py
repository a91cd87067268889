"""What no linter on the market checks here: `python -m console.setup.rules`, part of `make lint`.

The Content-Security-Policy allows no inline script, style or handler, so one that slips into a
template fails silently in the browser. And what hosts and clusters answer is text: a template
never switches escaping off.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent.parent
COMMENT = re.compile(r"\{#.*?#\}|\{%\s*comment.*?endcomment\s*%\}|<!--.*?-->", re.DOTALL)
RULES = (
    (r"<script\b(?![^>]*\bsrc\s*=)", "inline script: put it into a module under static/js"),
    (r"<style\b", "inline style sheet: put it into static/css"),
    (r"<[a-z][^>]*\sstyle\s*=", "inline style: use a class"),
    (r"<[a-z][^>]*\son[a-z]+\s*=", "inline handler: listen from a module under static/js"),
    (
        r"<[a-z][^>]*\shx-on[:-]",
        "htmx handler: it is evaluated as script, which the policy forbids",
    ),
    (r"javascript:", "script in an address: listen from a module under static/js"),
    (r"\|\s*safe\b", "escaping switched off: build the markup with format_html in a tag"),
    (
        r"\{%\s*autoescape\s+off",
        "escaping switched off: build the markup with format_html in a tag",
    ),
)
PATTERNS = tuple((re.compile(pattern, re.IGNORECASE), why) for pattern, why in RULES)


def _blank(match: re.Match[str]) -> str:
    return "".join(c if c == "\n" else " " for c in match.group())


def check_template(text: str) -> Iterator[tuple[int, str]]:
    """Line number and reason of each breach in a template's text; comments do not count."""
    text = COMMENT.sub(_blank, text)
    for pattern, why in PATTERNS:
        for match in pattern.finditer(text):
            yield text.count("\n", 0, match.start()) + 1, why


def main() -> int:
    """Check every template of the checkout; 1 when one breaks a rule."""
    breaches = [
        f"{path.relative_to(CHECKOUT)}:{line}: {why}"
        for folder in (CHECKOUT, *(p for p in CHECKOUT.iterdir() if (p / "apps.py").exists()))
        for path in sorted((folder / "templates").rglob("*.html"))
        for line, why in sorted(check_template(path.read_text(encoding="utf-8")))
    ]
    print("\n".join(breaches) or "Templates: no inline script, style or handler.")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
