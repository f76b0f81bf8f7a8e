"""What all tests share: no network, a cache of their own, warnings as errors, small records, the library's rows."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from teachwhy.constitution import load_constitution
from teachwhy.core.errors import TeachwhyError
from teachwhy.core.records import Example, Message
from teachwhy.interventions import INTERVENTIONS, Order
from teachwhy.worlds.scenes import FAMILIES, LOCKED

HELD_OUT = ("blackmail", "research_sabotage", "framing")
TRAINED = tuple(family for family in FAMILIES if family not in (*HELD_OUT, *LOCKED))
"""The families that rows are made of where nothing else is said."""

# The machine may be busy: nothing here is refused for being slow.
settings.register_profile("busy", deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("filterwarnings", "error:::teachwhy")


@pytest.fixture(scope="session", autouse=True)
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """TEACHWHY_CACHE, a fresh folder unless whoever runs the tests has set it."""
    given = os.environ.get("TEACHWHY_CACHE")
    folder = Path(given) if given else tmp_path_factory.mktemp("cache")
    os.environ["TEACHWHY_CACHE"] = str(folder)
    os.environ["INSPECT_CACHE_DIR"] = str(folder / "inspect")
    yield folder
    if given is None:
        del os.environ["TEACHWHY_CACHE"]
    del os.environ["INSPECT_CACHE_DIR"]


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse every connection that would leave this machine."""
    connect = socket.socket.connect

    def refuse(self: socket.socket, address: Any) -> None:
        local = self.family == socket.AF_UNIX or address[0] in ("127.0.0.1", "::1", "localhost")
        if not local:
            raise AssertionError(f"a test tried to reach {address!r}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)


def refusal(kind: type[TeachwhyError], work: Callable[[], object]) -> str:
    """The message with which ``work`` is refused, which must be one line."""
    with pytest.raises(kind) as caught:
        work()
    said = str(caught.value)
    assert said
    assert "\n" not in said
    return said


def row(name: str, said: str = "Good morning.", family: str | None = None, **fields: Any) -> Example:
    """A training row of one turn."""
    messages = (Message(role="assistant", content=said),)
    return Example(id=name, intervention="replay", messages=messages, family=family, writer="us", source="x", **fields)


def count_words(example: Example) -> int:
    """A row's length where no tokenizer is needed."""
    return len(example.said().split())


def order(rows: Sequence[Example] = (), families: Sequence[str] = TRAINED, **fields: Any) -> Order:
    """An order for all that there is, counted in words."""
    usual: dict[str, Any] = {"constitution": load_constitution("default"), "tokens": 10**9, "count": count_words}
    return Order(families=tuple(families), rows=tuple(rows), **{**usual, **fields})


def made(name: str, rows: Sequence[Example] = (), **fields: Any) -> list[Example]:
    """What the library makes of an order for this intervention."""
    library = INTERVENTIONS[name].library
    assert library is not None
    return library(order(rows, **fields))


@cache
def library_rows(name: str) -> tuple[Example, ...]:
    """All rows of an intervention that makes its own, each with its length."""
    return tuple(row.model_copy(update={"tokens": count_words(row)}) for row in made(name))
