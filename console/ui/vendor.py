"""Copies from node_modules what pages load, into static/vendor/ (not kept in git).

Run after `npm ci`: `python -m console.ui.vendor`. Icons become one sprite that
holds only the icons that templates and modules name, so that a page carries a
reference of a few bytes for each icon and the browser fetches them once.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
MODULES = ROOT / "node_modules"
TARGET = ROOT / "static" / "vendor"

FILES = {
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "tabler.js": "@tabler/core/dist/js/tabler.min.js",
    "htmx.js": "htmx.org/dist/htmx.min.js",
    # Loaded by the pages that need them alone: charts and the terminal.
    "uplot.js": "uplot/dist/uPlot.esm.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "xterm.js": "@xterm/xterm/lib/xterm.mjs",
    "xterm.css": "@xterm/xterm/css/xterm.css",
    "xterm-fit.js": "@xterm/addon-fit/lib/addon-fit.mjs",
}
SOURCE_MAP = re.compile(r"(/\*#|//#) sourceMappingURL=\S+( \*/)?\s*$")
# {% icon "server" %} in templates; icon="server" in includes and modules.
NAMED = re.compile(
    r"""(?:\{%\s*icon\s+|\{%\s*icon\s[^%]*default:|\b[a-z_]*icon\s*=\s*)["']([a-z0-9-]+)["']"""
)
ICON_FILES = ("templates/**/*.html", "*/**/*.py")
OUTER = re.compile(r"\A\s*<svg[^>]*>|</svg>\s*\Z|<path stroke=\"none\"[^>]*/>")


def named_icons(root: Path = ROOT) -> dict[str, Path]:
    """The icons that templates and modules name, each with a file that names it."""
    found: dict[str, Path] = {}
    for pattern in ICON_FILES:
        for file in sorted(root.glob(pattern)):
            if "node_modules" in file.parts or ".venv" in file.parts:
                continue
            for name in NAMED.findall(file.read_text(encoding="utf-8")):
                found.setdefault(name, file)
    return found


def sprite(icons: dict[str, Path], source: Path) -> str:
    """One SVG with a symbol for each icon. Raises SystemExit for an unknown name."""
    symbols = []
    for name, user in sorted(icons.items()):
        file = source / f"{name}.svg"
        if not file.exists():
            raise SystemExit(f"{user}: there is no icon named {name!r} in @tabler/icons.")
        shapes = " ".join(OUTER.sub("", file.read_text(encoding="utf-8")).split())
        symbols.append(
            f'<symbol id="{name}" viewBox="0 0 24 24" fill="none" stroke="currentColor" '
            f'stroke-width="2" stroke-linecap="round" stroke-linejoin="round">{shapes}</symbol>'
        )
    body = "\n".join(symbols)
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{body}\n</svg>\n'


def collect() -> list[str]:
    """Write static/vendor/ and say what was written. Raises SystemExit without node_modules."""
    if not MODULES.is_dir():
        raise SystemExit("There is no node_modules: run npm ci first.")
    TARGET.mkdir(parents=True, exist_ok=True)
    texts = {
        name: SOURCE_MAP.sub("", (MODULES / source).read_text(encoding="utf-8"))
        for name, source in FILES.items()
    }
    texts["icons.svg"] = sprite(named_icons(), MODULES / "@tabler/icons/icons/outline")
    written = []
    for name, text in texts.items():
        file = TARGET / name
        # Unchanged files keep their time, so that collectstatic skips them.
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            written.append(name)
    return written


if __name__ == "__main__":
    sys.stdout.write(f"static/vendor: {', '.join(collect()) or 'nothing new'}\n")
