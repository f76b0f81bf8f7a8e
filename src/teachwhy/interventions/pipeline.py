"""Sees rows through their stages side by side, each as far as it can get, until the budget is full."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from itertools import count
from typing import TypeVar

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.interventions.budget import Built
from teachwhy.interventions.intervention import Item, Order
from teachwhy.interventions.writers import Dropped, SpentError, Writers

HOPELESS = 40
"""So many items dropped, with none kept before them, and the build gives up: it would never end."""

DRY = 400
"""So many items dropped in a row after others were kept, and the build gives up as well."""

_PATIENCE = 5

Told = Callable[[int, int], None]
"""Called with (rows kept, tokens kept) as rows come."""

_T = TypeVar("_T")


class _Filling:
    """The rows so far."""

    def __init__(self, order: Order, writers: Writers, guess: int, told: Told | None) -> None:
        self.order = order
        self.writers = writers
        self.rows: dict[int, Example] = {}
        self.dropped: Counter[str] = Counter()
        self.spent: SpentError | None = None
        self._in_a_row = 0
        self._guess = guess
        self._tokens = 0
        self._told = told

    def wants(self, running: int) -> bool:
        """Whether the rows that are there and those on their way will leave room for another."""
        mean = self._tokens / len(self.rows) if self.rows else self._guess
        return self.spent is None and self._tokens + running * mean < self.order.tokens

    async def take(self, number: int, item: Item) -> None:
        """Make one item, and keep it or count why not."""
        try:
            row = await item.make()
        except Dropped as reason:
            self.dropped[str(reason)] += 1
            self._in_a_row += 1
            if self._in_a_row >= (DRY if self.rows else HOPELESS):
                raise ConfigError(self._say_hopeless()) from None
            return
        except SpentError as limit:
            self.spent = limit
            return
        row = row.model_copy(update={"tokens": self.order.count(row)})
        self.rows[number] = row
        self._tokens += row.tokens
        self._in_a_row = 0
        if self._told is not None:
            self._told(len(self.rows), self._tokens)

    def _say_hopeless(self) -> str:
        worst, times = self.dropped.most_common(1)[0]
        last = f" (the last error: {self.writers.trouble})" if self.writers.trouble else ""
        if self.rows:
            return (
                f"{len(self.rows)} rows were kept, then {self._in_a_row} dropped in a row, most for {worst!r}{last}; "
                "ask for fewer tokens in another folder, with --reuse of this one"
            )
        return (
            f"the first {self._in_a_row} rows were all dropped, {times} of them for {worst!r}{last}; "
            "try another writer, or look at its answers in answers.jsonl"
        )

    def built(self) -> Built:
        """The rows in the order of their items, up to the first that would pass the budget.

        Which further items were begun is a matter of timing; which these are is not.
        """
        kept: list[Example] = []
        used = 0
        for _, row in sorted(self.rows.items()):
            if row.tokens > self.order.tokens:
                continue
            if used + row.tokens > self.order.tokens:
                break
            kept.append(row)
            used += row.tokens
        dropped = dict(sorted(self.dropped.items()))
        if len(kept) < len(self.rows):
            dropped["beyond the token budget"] = len(self.rows) - len(kept)
        return Built(rows=tuple(kept), tokens=used, dropped=dropped)


async def fill(
    items: AsyncIterator[Item], order: Order, writers: Writers, guess: int, told: Told | None = None
) -> tuple[Built, SpentError | None]:
    """Rows until the budget is full, the items end or a limit is reached; which limit, if one was.

    ``guess`` is the length of a row in tokens before any is known. Raises ConfigError when nothing can be kept.
    """
    # a collection walks all that is alive, and libraries for models hold a lot: a third of the time went there
    gc.freeze()
    filling = _Filling(order, writers, guess, told)
    try:
        await _launch(items, filling, width=2 * writers.connections)
        # what was asked for ahead of its use is paid for: a larger build may want it
        await writers.settle()
    finally:
        gc.unfreeze()
    filling.dropped += writers.dropped
    built = filling.built()
    if not built.rows and filling.spent is None:
        raise ConfigError(_say_nothing(built, order))
    return built, filling.spent


async def _launch(items: AsyncIterator[Item], filling: _Filling, width: int) -> None:
    running: set[asyncio.Task[None]] = set()
    number = 0
    ended = False
    try:
        while True:
            while not ended and len(running) < width and filling.wants(len(running)):
                item = await _next(items, filling)
                if item is None:
                    ended = True
                    break
                running.add(asyncio.create_task(filling.take(number, item)))
                number += 1
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            # each is looked at before one is raised: an error that nobody took is printed when it is forgotten
            failed = [error for task in done if (error := task.exception()) is not None]
            if failed:
                raise failed[0]
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _next(items: AsyncIterator[Item], filling: _Filling) -> Item | None:
    """The next item; None at the end, or where a limit or useless answers stop what would have thought of it."""
    try:
        return await anext(items, None)
    except SpentError as limit:
        filling.spent = limit
    except Dropped as reason:
        filling.dropped[str(reason)] += 1
    return None


def _say_nothing(built: Built, order: Order) -> str:
    if built.dropped:
        reasons = ", ".join(f"{reason}: {times}" for reason, times in built.dropped.items())
        return f"no row was kept within {order.tokens} tokens ({reasons})"
    return "nothing was there to be built"


async def side_by_side(writers: Writers, makes: Iterable[Callable[[], Awaitable[_T]]]) -> list[_T]:
    """The results of ``makes`` in their order, all asked for at once; what is dropped is counted and left out.

    The model's connections are the limit. Raises Dropped where all of them are dropped.
    """
    # all of them end before any error goes on from here: an answer on its way is paid for
    found = await asyncio.gather(*(make() for make in makes), return_exceptions=True)
    kept: list[_T] = []
    lost: list[Dropped] = []
    for result in found:
        if isinstance(result, Dropped):
            lost.append(result)
        elif isinstance(result, BaseException):
            raise result
        else:
            kept.append(result)
    # the one that is raised is counted where it is caught
    writers.dropped.update(str(reason) for reason in (lost if kept else lost[1:]))
    if lost and not kept:
        raise lost[0]
    return kept


def interleave(lists: Sequence[Sequence[_T]]) -> list[_T]:
    """The first of each list, then the second of each, and so on."""
    longest = max((len(one) for one in lists), default=0)
    return [one[at] for at in range(longest) for one in lists if at < len(one)]


async def endless(writers: Writers, think: Callable[[int], Awaitable[Sequence[_T]]]) -> AsyncIterator[_T]:
    """What ``think(0)`` comes up with, then ``think(1)``, and so on, each asked for while half of the last is left.

    Ends when nothing more comes. Raises Dropped when ``_PATIENCE`` of them in a row were dropped.
    """
    coming = asyncio.ensure_future(think(0))
    dropped = 0
    try:
        for number in count(1):
            try:
                found = await coming
            except Dropped as reason:
                dropped += 1
                if dropped == _PATIENCE:
                    raise
                writers.dropped[str(reason)] += 1
                coming = asyncio.ensure_future(think(number))
                continue
            if not found:
                return
            dropped = 0
            for at, one in enumerate(found):
                if at == len(found) // 2:
                    coming = asyncio.ensure_future(think(number))
                yield one
    finally:
        coming.cancel()
        await asyncio.gather(coming, return_exceptions=True)
