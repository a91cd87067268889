"""docs/configuration.md lists every variable that is read, with the default that it has."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]
PAGE = (CHECKOUT / "docs/configuration.md").read_text(encoding="utf-8")
READERS = {
    "text",
    "flag",
    "number",
    "words",
    "path",
    "minutes",
    "choice",
    "text_of_file",
    "names",
    "networks",
}
# Not settings: what sudo, Django's start-up and the shell put there themselves.
NOT_OURS = {"DJANGO_SETTINGS_MODULE", "PATH", "SUDO_UID"}
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([^|]+) \|", re.MULTILINE)
CHECK_ROW = re.compile(r"^\| `(flotilla\.[EW]\d+)` \|", re.MULTILINE)


def sources() -> Iterator[Path]:
    for folder in ("console", "clusters", "provisioning", "tenancy", "lab"):
        for path in sorted((CHECKOUT / folder).rglob("*.py")):
            # environment.py holds the readers themselves.
            if path.name != "environment.py":
                yield path


def constants(tree: ast.AST) -> dict[str, ast.expr]:
    """Plain names given a value in a module, for variables that are named by a constant."""
    return {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def names_of(node: ast.expr, known: dict[str, ast.expr]) -> list[str]:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return [node.value]
    if isinstance(node, ast.Name) and node.id in known:
        return names_of(known[node.id], known)
    if isinstance(node, ast.Tuple):
        return [name for item in node.elts for name in names_of(item, known)]
    return []


def environment_reads(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr | None]]:
    """The name and default of each read: env.number("X", 1), os.environ.get("X"), environ["X"]."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith("environ"):
            yield node.slice, None
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            continue
        owner = ast.unparse(node.func.value)
        default = node.args[1] if len(node.args) > 1 else None
        reader = owner == "env" and node.func.attr in READERS
        if reader or (node.func.attr == "get" and re.search(r"\benviron\b", owner)):
            yield node.args[0], default


@functools.cache
def read_variables() -> dict[str, list[ast.expr]]:
    found: dict[str, list[ast.expr]] = {}
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sources()}
    # A constant may be imported from another module, so all are known to all.
    known = {name: node for tree in trees.values() for name, node in constants(tree).items()}
    for path, tree in trees.items():
        for name, default in environment_reads(tree):
            names = names_of(name, known)
            if not names and isinstance(name, ast.Name):
                # `for variable in NAMING_VARIABLES: os.environ.get(variable)`
                names = names_of(ast.Name("NAMING_VARIABLES"), known)
            assert names, f"{path}: cannot tell which variable {ast.unparse(name)} is"
            for each in names:
                found.setdefault(each, []).extend([default] if default is not None else [])
    return {name: defaults for name, defaults in found.items() if name not in NOT_OURS}


def documented() -> dict[str, str]:
    return {name: default.strip() for name, default in ROW.findall(PAGE)}


def test_every_variable_that_is_read_is_listed_and_no_other() -> None:
    assert sorted(read_variables()) == sorted(documented())


def value(node: ast.expr) -> object:
    """A constant, or a product of constants as in 8 * 3600."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, right = value(node.left), value(node.right)
        return left * right if isinstance(left, int) and isinstance(right, int) else None
    return node.value if isinstance(node, ast.Constant) else None


@pytest.mark.parametrize("name", sorted(documented()))
def test_the_default_is_the_one_in_the_code(name: str) -> None:
    said = documented()[name].strip("`")
    for node in read_variables().get(name, []):
        found = value(node)
        if isinstance(found, bool):
            assert said == str(int(found))
        elif isinstance(found, int) or (isinstance(found, str) and found):
            assert said == str(found)


def test_every_check_is_listed_and_no_other() -> None:
    text = (CHECKOUT / "console/checks.py").read_text(encoding="utf-8")
    assert sorted(set(re.findall(r"flotilla\.[EW]\d+", text))) == sorted(CHECK_ROW.findall(PAGE))
