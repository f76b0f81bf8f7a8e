"""Asks a model for one thing and gives its answer back, from disk if it was ever asked before.

An answer is kept before it is used, and everything that makes up a request is in its key: whoever asks the same again,
in this try or after a crash, reads it and pays nothing. What cannot be used raises ``Dropped`` with the reason.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from inspect_ai.model import GenerateConfig, Model, ModelOutput
from tenacity import RetryError

from teachwhy.core.errors import ModelError, TeachwhyError
from teachwhy.core.naming import is_same_model
from teachwhy.core.records import Message, Record
from teachwhy.core.store import content_key
from teachwhy.interventions.writers.journal import Answer, Journal
from teachwhy.interventions.writers.ledger import Ledger
from teachwhy.interventions.writers.prompts import Prompt
from teachwhy.interventions.writers.roles import Binding, Roles
from teachwhy.interventions.writers.wire import open_model, to_tools, to_turns

TRIES = 3
"""So often a call is made when something other than its answer comes back."""

_FAILED = "call failed"
_FATAL = (401, 402, 404)
"""Statuses that no second try mends."""
_REFUSAL = re.compile(
    r"\A\W*((i['’]?m|i am) sorry|sorry|i apologi[sz]e|unfortunately)?\W*(but )?(as an ai\b.{0,60}?)?"
    r"i( can['’]?t|['’]?m (not able|unable) to| cannot| can not| won['’]?t| will not| am (not able|unable) to"
    r"| must decline)",
    re.IGNORECASE,
)
_REFUSAL_WORDS = 60
"""What goes on for longer is an answer, however it begins: *I won't sign that, and here is why* is advice."""
_BYTES_A_TOKEN = 3
"""Few, so that what is held back for a call is rather too much than too little."""


class Dropped(Exception):  # noqa: N818 (an outcome, no error)
    """Something was asked for and what came cannot be used; the reason is what is counted."""


class _Request(Record):
    """All that an answer depends on."""

    binding: Binding
    turns: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...]
    temperature: float
    max_tokens: int
    seed: int

    @cached_property
    def key(self) -> str:
        settings = [self.temperature, self.max_tokens, self.seed]
        rows = [turn.row() for turn in self.turns]
        # whose key pays for it changes no answer
        args = {name: value for name, value in self.binding.args.items() if name != "api_key"}
        return content_key([self.binding.model, args, rows, list(self.tools), settings])

    def most(self) -> tuple[int, float]:
        """The most that it may cost: tokens, dollars."""
        sent = [*(turn.to_line() for turn in self.turns), json.dumps(self.tools, ensure_ascii=False)]
        reads = sum(len(text.encode()) for text in sent) // _BYTES_A_TOKEN
        price = self.binding.price
        return reads + self.max_tokens, price.of(reads, self.max_tokens) if price else 0.0


class Writers:
    """The models of a build in their roles, their journal and their ledger."""

    def __init__(
        self,
        roles: Roles,
        journal: Journal,
        ledger: Ledger,
        *,
        connections: int = 16,
        timeout: int = 300,
        seed: int = 0,
        reuse: Mapping[str, Answer] | None = None,
    ) -> None:
        """``timeout`` is in seconds, for one try; ``reuse`` holds answers that another build has paid for."""
        self.journal = journal
        self.ledger = ledger
        self.connections = connections
        self.dropped: Counter[str] = Counter()
        """Answers dropped that no single row hangs on, such as a list of principles, by reason."""
        self.trouble = ""
        """The last error of a call."""
        self._roles = roles
        self._timeout = timeout
        self._seed = seed
        self._reuse = reuse or {}
        self._open: dict[str, Model] = {}
        self._heard: set[str] = set()
        self._asked: dict[str, asyncio.Future[Answer]] = {}
        for answer in journal.answers.values():
            if answer.key not in self._reuse:
                ledger.record(answer.reads, answer.writes, answer.cost)

    async def settle(self) -> None:
        """Wait for the calls in flight: whoever asked for them may be gone, and they are paid for."""
        await asyncio.gather(*self._asked.values(), return_exceptions=True)

    async def close(self) -> None:
        """Let go of the models, and of calls still in flight."""
        for asked in self._asked.values():
            asked.cancel()
        await self.settle()
        for model in self._open.values():
            await model.api.aclose()
        self._open.clear()

    async def ask(
        self, prompt: Prompt, values: Mapping[str, str], *, after: Sequence[Answer] = (), sample: int = 0
    ) -> Answer:
        """The answer to a filled prompt, whole and no refusal.

        Raises Dropped where there is none, SpentError at a limit.
        """
        return usable(await self.say(prompt, prompt.turns(values), after=after, sample=sample))

    async def say(
        self,
        prompt: Prompt,
        turns: Sequence[Message],
        tools: Sequence[dict[str, Any]] = (),
        *,
        after: Sequence[Answer] = (),
        sample: int = 0,
    ) -> Answer:
        """The next turn of a conversation, whole; one that refuses is a turn like others. Raises as ``ask`` does."""
        request = _Request(
            binding=self._roles.of(prompt.role),
            turns=tuple(turns),
            tools=tuple(tools),
            temperature=prompt.temperature,
            max_tokens=prompt.max_tokens,
            seed=int(content_key([self._seed, sample]), 16) % 2**31,
        )
        # two items may ask the same at the same time: one call, and both wait for it
        asked = self._asked.get(request.key)
        if asked is None:
            asked = self._asked[request.key] = asyncio.ensure_future(self._once(request, prompt, after))
            asked.add_done_callback(lambda done: self._forget(request.key, done))
        answer = await asyncio.shield(asked)
        if answer.stop in ("max_tokens", "model_length"):
            raise Dropped(f"cut off at {prompt.stage}")
        if answer.stop == "content_filter":
            raise Dropped(f"refused at {prompt.stage}")
        return answer

    def _forget(self, key: str, done: asyncio.Future[Answer]) -> None:
        self._asked.pop(key, None)
        if not done.cancelled():
            done.exception()  # whoever waited for it may be gone, and an error that nobody took is printed

    async def _once(self, request: _Request, prompt: Prompt, after: Sequence[Answer]) -> Answer:
        known = self.journal.answers.get(request.key)
        if known is None and request.key in self._reuse:
            known = self._reuse[request.key]
            self.journal.add(known)
        if known is not None:
            return known
        came: Answer | str = ""
        for _ in range(TRIES):
            async with self.ledger.promise(*request.most()):
                came = await self._try(request, prompt, after)
            if isinstance(came, Answer):
                return came
            self.ledger.mishaps[came] += 1
        raise Dropped(came)

    async def _try(self, request: _Request, prompt: Prompt, after: Sequence[Answer]) -> Answer | str:
        """The answer of the model that was asked, kept; or why there is none. Raises Dropped where no try will help."""
        model = self._model(request.binding)
        turns, tools = to_turns(request.turns), to_tools(request.tools)
        config = GenerateConfig(temperature=request.temperature, max_tokens=request.max_tokens, seed=request.seed)
        try:
            output = await model.generate(turns, tools=tools, config=config)
        except TeachwhyError:
            raise
        except RetryError as error:  # Inspect tried again and again already
            self.trouble = _say(error.last_attempt.exception())
            if request.binding.model not in self._heard:
                raise ModelError(
                    f"{request.binding.model} does not answer: {self.trouble}; see that it runs and can be reached"
                ) from None
            self.ledger.mishaps[_FAILED] += 1
            raise Dropped(_FAILED) from None
        except Exception as error:  # whatever a provider's library raises: the next try may do
            self.trouble = _say(error)
            _stop_if_fatal(error, request.binding)
            return _FAILED
        self._heard.add(request.binding.model)
        if output.error or not output.choices:
            return _FAILED
        answer = _answer(request, prompt, output, after)
        same = is_same_model(request.binding.model, output.model)
        if not same:
            # it was paid for, so it is kept, under a key that nobody asks for
            stray = f"{request.key}-stray-{len(self.journal.answers)}"
            answer = answer.model_copy(update={"key": stray, "model": output.model})
            self.trouble = f"{output.model!r} answered for {request.binding.model!r}"
        self.journal.add(answer)
        self.ledger.record(answer.reads, answer.writes, answer.cost)
        return answer if same else "answered by another model"

    def _model(self, binding: Binding) -> Model:
        key = content_key([binding.model, binding.args])
        if key not in self._open:
            self._open[key] = open_model(binding, self.connections, self._timeout)
        return self._open[key]


def usable(answer: Answer) -> Answer:
    """The answer, if it says something and is no refusal; Dropped otherwise."""
    if not answer.text:
        raise Dropped(f"empty answer at {answer.stage}")
    if _REFUSAL.match(answer.text) and len(answer.text.split()) <= _REFUSAL_WORDS:
        raise Dropped(f"refused at {answer.stage}")
    return answer


def _stop_if_fatal(error: Exception, binding: Binding) -> None:
    status = getattr(error, "status_code", None)
    if status in _FATAL:
        raise ModelError(f"{binding.model} answers with {status}: {_say(error)}; mend its name or its key") from None


def _say(error: BaseException | None) -> str:
    """An error in one line; Inspect puts the whole request before what the provider says."""
    said = getattr(error, "provider_message", None) or str(error) or type(error).__name__
    return " ".join(said.split())[:200]


def _answer(request: _Request, prompt: Prompt, output: ModelOutput, after: Sequence[Answer]) -> Answer:
    usage, message = output.usage, output.choices[0].message
    reads = writes = 0
    if usage is not None:
        cached = (usage.input_tokens_cache_read or 0) + (usage.input_tokens_cache_write or 0)
        reads, writes = usage.input_tokens + cached, usage.output_tokens
    if not reads + writes:
        # a server that does not count must not make a limit toothless
        reads, writes = request.most()[0] - request.max_tokens, len(message.text.encode()) // _BYTES_A_TOKEN
    calls = [
        {"type": "function", "function": {"name": call.function, "arguments": call.arguments}}
        for call in message.tool_calls or []
        if call.parse_error is None
    ]
    price = request.binding.price
    return Answer(
        key=request.key,
        role=prompt.role,
        model=request.binding.model,
        prompt=prompt.name,
        prompt_hash=prompt.hash,
        parents=tuple(answer.key for answer in after),
        text=message.text.strip(),
        tool_calls=tuple(calls),
        stop=output.choices[0].stop_reason,
        reads=reads,
        writes=writes,
        cost=price.of(reads, writes) if price else 0.0,
    )
