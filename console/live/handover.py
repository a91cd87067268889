"""From threads to one coroutine, bounded: a thread that is faster than its reader waits."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from contextvars import copy_context
from typing import Generic, ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class Handover(Generic[T]):
    """put() in any thread, take() in the event loop that made it.

    most: how much may lie between them, in the unit of put's size (bytes).
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._filled = asyncio.Event()
        self._room = threading.Condition()
        self._items: deque[T] = deque()
        self._size = 0
        self._closed = False

    def put(self, item: T, size: int = 1) -> bool:
        """Hand over an item, waiting for room; False when nobody takes any more."""
        with self._room:
            # One item always fits, however large it is.
            self._room.wait_for(lambda: self._closed or not self._items or self._size < self._most)
            if self._closed:
                return False
            self._items.append(item)
            self._size += size
        self._wake()
        return True

    async def take(self) -> list[T]:
        """Everything that lies ready, at least one item; empty when it was closed."""
        await self._filled.wait()
        with self._room:
            found = list(self._items)
            self._items.clear()
            self._size = 0
            if not self._closed:
                self._filled.clear()
            self._room.notify_all()
        return found

    def close(self) -> None:
        """Nobody takes any more: putting threads go on and get False."""
        with self._room:
            self._closed = True
            self._room.notify_all()
        self._wake()

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._filled.set)
        except RuntimeError:
            return  # the loop has ended, and with it whoever would take


async def on_own_thread(function: Callable[P, T], *args: P.args, **named: P.kwargs) -> T:
    """The result of a blocking call on a thread made for it.

    The loop's own threads are a handful: a few calls that wait for a host that is
    away would hold up everybody else's. The call should have its own time limit.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is not None:
            done.set_exception(error)
        else:
            done.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        error: BaseException | None = None
        try:
            result = function(*args, **named)
        except Exception as raised:
            error = raised
        try:
            loop.call_soon_threadsafe(settle, result, error)
        except RuntimeError:
            return  # the loop has ended, and with it whoever asked

    # In the caller's context: the language of what it may say.
    threading.Thread(target=copy_context().run, args=(run,), daemon=True).start()
    return await done
