"""What was spent, and the limit that stops it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from teachwhy.core.errors import TeachwhyError


class SpentError(TeachwhyError):
    """A limit on tokens or money is reached: no further call is made, and what is there is kept."""


@dataclass
class Ledger:
    """Calls, tokens and money of one build, those paid for in earlier tries among them."""

    most_tokens: int | None = None
    """Read and written together."""
    most_dollars: float | None = None
    calls: int = 0
    reads: int = 0
    writes: int = 0
    cost: float = 0.0
    mishaps: Counter[str] = field(default_factory=Counter[str])
    """Calls that came to nothing, by reason; they are tried again, and are no dropped rows."""
    _promised: tuple[int, float] = (0, 0.0)
    """The most that calls in flight may yet cost: tokens, dollars."""
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    def record(self, reads: int, writes: int, cost: float) -> None:
        """Add an answered call."""
        self.calls += 1
        self.reads += reads
        self.writes += writes
        self.cost += cost

    @asynccontextmanager
    async def promise(self, tokens: int, dollars: float) -> AsyncGenerator[None]:
        """Hold back the most that a call may cost while it is in flight, so that no limit is ever passed.

        Waits for calls in flight where they alone stand in the way. Raises SpentError where a limit does.
        """
        while (limit := self._limit(tokens, dollars)) is not None:
            if not self._promised[0]:
                raise SpentError(f"the next call could pass the limit of {limit} to go on from here")
            self._settled.clear()
            await self._settled.wait()
        self._promised = (self._promised[0] + tokens, self._promised[1] + dollars)
        try:
            yield
        finally:
            self._promised = (self._promised[0] - tokens, self._promised[1] - dollars)
            self._settled.set()

    def _limit(self, tokens: int, dollars: float) -> str | None:
        """The limit that a further call could pass, and how to raise it."""
        held_tokens, held_dollars = self._promised
        if self.most_tokens is not None and self.reads + self.writes + held_tokens + tokens > self.most_tokens:
            return f"{self.most_tokens} tokens; raise --max-tokens"
        if self.most_dollars is not None and self.cost + held_dollars + dollars > self.most_dollars:
            return f"${self.most_dollars:g}; raise --max-dollars"
        return None
