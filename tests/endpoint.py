"""An endpoint on this machine for a test: a server in a thread, all that it was asked, and faults on demand."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from inspect_ai.model import get_model
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from teachwhy.models.endpoint import Answering, answer_with, make_app


@dataclass
class Endpoint:
    """Where it is, and what has arrived there."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """The bodies of all requests, in the order of their arrival."""

    def keys(self) -> list[str]:
        """Each request as text: equal for those that ask the same."""
        return [key_of(body) for body in self.asked]

    def repeated(self) -> int:
        """Requests that had been made before."""
        return len(self.asked) - len(set(self.keys()))


def key_of(body: dict[str, Any]) -> str:
    return json.dumps(body, sort_keys=True)


@contextmanager
def serve(answer: Answering) -> Generator[Endpoint]:
    """Answers at ``url`` until the block ends."""
    endpoint = Endpoint()

    async def note(body: dict[str, Any]) -> Response:
        endpoint.asked.append(body)
        return await answer(body)

    config = uvicorn.Config(
        make_app(note), host="127.0.0.1", port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server did not start"
        time.sleep(0.005)
    port = server.servers[0].sockets[0].getsockname()[1]
    endpoint.url = f"http://127.0.0.1:{port}/v1"
    try:
        yield endpoint
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def scripted(script: str = "form-filler", delay: float = 0.0) -> Answering:
    """The answers of a scripted model."""
    return answer_with(get_model(f"teachwhy-scripted/{script}"), delay)


REFUSAL = "I'm sorry, but I can't help with that."


class _CutOff(Response):
    """Promises more than it sends, so that the connection is closed in the middle."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        head = [(b"content-type", b"application/json"), (b"content-length", b"1000")]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": b'{"id": "chatcmpl'})


def _error(status: int) -> Response:
    # the client waits as long as it is told to, which spares the test a second
    return JSONResponse({"error": {"message": "not now"}}, status, headers={"retry-after-ms": "5"})


def _said(text: str, stop: str = "stop") -> Callable[[dict[str, Any]], None]:
    def change(completion: dict[str, Any]) -> None:
        completion["choices"][0]["message"] = {"role": "assistant", "content": text}
        completion["choices"][0]["finish_reason"] = stop

    return change


def _cut(completion: dict[str, Any]) -> None:
    completion["choices"][0]["finish_reason"] = "length"


def _other(completion: dict[str, Any]) -> None:
    completion["model"] = "another-model"


PASSING: dict[str, Callable[[], Response]] = {
    "too many": lambda: _error(429),
    "broken": lambda: _error(500),
    "closed": _CutOff,
    "malformed": lambda: Response('{"id": "chatcmpl', media_type="application/json"),
    "no choice": lambda: JSONResponse({"id": "x", "object": "chat.completion", "created": 0, "choices": []}),
}
"""Faults that are gone at the second try."""
LASTING: dict[str, Callable[[dict[str, Any]], None]] = {
    "refusal": _said(REFUSAL),
    "filtered": _said("", "content_filter"),
    "cut off": _cut,
    "no form": _said("Nothing in the form that was asked for."),
    "other model": _other,
}
"""Faults that a request meets each time."""
REJECTED = "rejected"
"""A request that is answered with status 400 each time."""


class Faulty:
    """Good answers and faults: every so manieth request that is new meets the next fault in turn."""

    def __init__(self, good: Answering, every: int) -> None:
        self._good = good
        self._every = every
        self.met: dict[str, str] = {}
        """Request to the fault that it meets, or to nothing."""
        self.tries: Counter[str] = Counter()
        self.paid: Counter[str] = Counter()
        """Request to the whole answers that it got."""

    async def __call__(self, body: dict[str, Any]) -> Response:
        key = key_of(body)
        fault = self.met.setdefault(key, self._next(body))
        self.tries[key] += 1
        if fault == REJECTED:
            return JSONResponse({"error": {"message": "not like this"}}, 400)
        if fault in PASSING and self.tries[key] == 1:
            return PASSING[fault]()
        self.paid[key] += 1
        answer = await self._good(body)
        if fault in LASTING:
            completion = json.loads(bytes(answer.body))
            LASTING[fault](completion)
            return JSONResponse(completion)
        return answer

    def _next(self, body: dict[str, Any]) -> str:
        turn, left = divmod(len(self.met), self._every)
        faults = [*PASSING, *LASTING, REJECTED]
        fault = faults[turn % len(faults)]
        # prose is no fault where no form is asked for, nor is an agent that will not do something
        asks_for_a_form = "</" in str(body["messages"][-1]["content"])
        no_fault = (fault == "no form" and not asks_for_a_form) or (fault == "refusal" and body.get("tools"))
        return "" if left or no_fault else fault

    def count(self, *faults: str) -> int:
        """Requests that met one of these faults."""
        return sum(fault in faults for fault in self.met.values())
