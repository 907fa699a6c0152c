"""Puts what many tasks ask one by one into few requests: what is asked while a request is under way is the next one.

So whoever is alone waits for nobody, and many need no timer to find together. There is no task of its own: one of
those that ask carries the request for all. When that one is cancelled its request is, and the next in line carries what
is left; when the request fails, all that were in it fail with it, and none of them asks again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Generic, TypeVar

import trio

from c3fs.errors import C3Error

K = TypeVar("K")
V = TypeVar("V")


class _Wish(Generic[V]):
    """`answer` is meant when `is_over`, and there is no `error`."""

    __slots__ = ("answer", "askers", "error", "is_over")

    def __init__(self) -> None:
        self.askers = 0
        self.is_over = False
        self.answer: V | None = None
        self.error: C3Error | None = None


class Gathered(Generic[K, V]):
    """`ask` is given at most `most` different keys, and answers with a value for those it has one for."""

    def __init__(self, ask: Callable[[list[K]], Awaitable[Mapping[K, V]]], most: int) -> None:
        self._ask = ask
        self._most = most
        self._turn = trio.Lock()
        self._wishes: dict[K, _Wish[V]] = {}

    def __repr__(self) -> str:
        return f"<Gathered {len(self._wishes)} wishes>"

    async def get(self, key: K) -> V | None:
        """The value of `key`, None if there is none; raises what `ask` does. A request that was under way for this
        key when it was asked is as good as one that begins after."""
        wish = self._wishes.setdefault(key, _Wish())
        wish.askers += 1
        try:
            async with self._turn:
                if not wish.is_over:
                    await self._carry(key)
        finally:
            wish.askers -= 1
            if not wish.askers and self._wishes.get(key) is wish:
                del self._wishes[key]
        if wish.error is not None:
            raise wish.error.with_traceback(None)
        return wish.answer

    async def _carry(self, first: K) -> None:
        """Ask for `first` and others that wait. No await between the answer and handing it out."""
        others = (key for key in self._wishes if key != first)
        keys = [first, *(key for key, _ in zip(others, range(self._most - 1), strict=False))]
        error: C3Error | None = None
        answers: Mapping[K, V] = {}
        try:
            answers = await self._ask(keys)
        except C3Error as raised:
            error = raised
        for key in keys:
            wish = self._wishes.pop(key, None)
            if wish is not None:
                wish.is_over, wish.answer, wish.error = True, answers.get(key), error
