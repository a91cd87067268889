"""What a view, consumer or command can reach in our own code, read from its compiled code."""

from __future__ import annotations

import dis
import functools
import inspect
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from itertools import pairwise
from types import CodeType, FunctionType, ModuleType
from typing import Any

from django.http import FileResponse, StreamingHttpResponse

from console.audit.catalogue import ACTIONS
from console.audit.record import record
from console.ui.downloads import attachment

ROOMS = ("console", "clusters", "provisioning", "tenancy", "lab")
# Told of every refusal, so that each view reaches it; it proves nothing.
EVERYWHERE = {"request.denied"}
# What a view gives a file with.
DOWNLOADS = (attachment, FileResponse, StreamingHttpResponse)
IDLE = {"NOP", "CACHE", "PUSH_NULL", "EXTENDED_ARG"}


def actions_reached(start: Any, cls: type | None = None) -> set[str]:
    """The catalogue's actions that code reached from `start` names, where it reaches record().

    `cls` is the class whose method `start` is. Followed are functions and classes by name, in
    our own packages; what is called on an object that only the running program knows is not.
    """
    found = list(_reached(start, cls))
    if not any(thing is record for thing in found):
        return set()
    return {name for name in found if isinstance(name, str) and name in ACTIONS} - EVERYWHERE


def downloads(start: Any, cls: type | None = None) -> bool:
    """Whether code reached from `start` (of the class `cls`) gives files."""
    return any(thing is way for thing in _reached(start, cls) for way in DOWNLOADS)


def _reached(start: Any, cls: type | None) -> Iterator[Any]:
    """Each thing that the code names, once, and what that names in turn."""
    seen: set[int] = set()
    waiting: list[tuple[Any, type | None]] = [(start, cls)]
    while waiting:
        thing, owner = waiting.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        yield thing
        if thing is record or isinstance(thing, str):
            continue
        if isinstance(thing, Mapping) and thing is not ACTIONS:
            waiting += [(item, None) for pair in thing.items() for item in pair if _data(item)]
        elif isinstance(thing, list | tuple | set | frozenset):
            waiting += [(item, None) for item in thing if _data(item)]
        elif isinstance(thing, functools.partial):
            waiting += [(thing.func, None), (thing.args, None), (thing.keywords, None)]
        elif isinstance(thing, type) and _ours(thing):
            for base in thing.__mro__:
                if _ours(base):
                    waiting += [(_plain(value), thing) for value in vars(base).values()]
        elif is_dataclass(thing) and not isinstance(thing, type):
            waiting += [(value, None) for value in vars(thing).values() if _data(value)]
        elif isinstance(thing, FunctionType):
            waiting += _in_code(thing, thing.__code__, owner)
            cells = zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True)
            # A method's own class stands there for super(): its other methods are not called.
            waiting += [(c.cell_contents, owner) for name, c in cells if name != "__class__"]


def _in_code(function: FunctionType, code: CodeType, owner: type | None) -> Iterator[Any]:
    """The texts, functions, classes and tables that the code names."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _in_code(function, constant, owner)
        elif isinstance(constant, str | tuple | frozenset):
            yield constant, None
    if owner is not None and "__class__" in code.co_freevars:
        for base in owner.__mro__:
            methods = [vars(base).get(name) for name in code.co_names] if _ours(base) else []
            yield from ((_plain(found), owner) for found in methods if found is not None)
    steps = _steps(code)
    for step, after in pairwise([*steps, steps[-1]]):
        attribute = after.argval if after.opname in ("LOAD_ATTR", "LOAD_METHOD") else None
        if step.opname.startswith("LOAD_SUPER"):
            attribute = step.argval
        on_self = step.argval in ("self", "cls") or "SUPER" in step.opname
        if owner is not None and attribute and on_self:
            # Also by a generic view's code, as perform_create is.
            yield _plain(inspect.getattr_static(owner, attribute, None)), owner
        if step.opname in ("LOAD_GLOBAL", "LOAD_NAME") and _ours(function):
            value = function.__globals__.get(step.argval)
            if isinstance(value, ModuleType):
                if value.__name__.split(".")[0] in ROOMS:
                    yield from _named(vars(value).get(attribute))
            elif isinstance(value, type) and _ours(value) and attribute:
                yield _plain(inspect.getattr_static(value, attribute, None)), value
                yield from _named(value)
            else:
                yield from _named(value)


@functools.cache
def _steps(code: CodeType) -> list[dis.Instruction]:
    return [step for step in dis.get_instructions(code) if step.opname not in IDLE]


def _named(value: Any) -> Iterator[Any]:
    value = _plain(value)
    data = str | Mapping | tuple | frozenset | functools.partial
    if _ours(value) or isinstance(value, data) or any(value is way for way in DOWNLOADS):
        yield value, None


def _plain(value: Any) -> Any:
    if isinstance(value, property):
        return value.fget
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    return inspect.unwrap(value) if isinstance(value, FunctionType) else value


def _ours(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).split(".")[0] in ROOMS


def _data(value: Any) -> bool:
    """A table's texts are followed, its functions not: it may hold those of all other views."""
    if isinstance(value, str | Mapping | list | tuple | set | frozenset):
        return True
    return is_dataclass(value) and not isinstance(value, type)
