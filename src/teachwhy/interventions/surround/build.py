"""Surround: any rows, with tools that are not needed and system prompts of many makes around them (the source's E8).

What a person says is left as it was, byte for byte, and the proof is a hash over all user turns before and after. A row
that has a system prompt keeps it; tools that it calls stay among those that are added. Documents stay as they are.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from typing import Any

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Message
from teachwhy.interventions.intervention import Intervention, Order, read_share
from teachwhy.interventions.library.surroundings import surrounding_tools, surroundings

_OWN = (2, 5)
"""Fewest and most tools of the system prompt's own domains."""
_STRAY = (0, 3)
"""The same for tools of any other domain."""


def surround_rows(order: Order) -> list[Example]:
    """The order's rows, a share of them surrounded; which, and with what, the seed decides."""
    # by their ids, so that the order of the rows decides nothing
    talks = sorted((at for at, row in enumerate(order.rows) if row.messages), key=lambda at: order.rows[at].id)
    number = round(read_share(order, 1.0) * len(talks))
    chosen = set(random.Random(f"surround/{order.seed}").sample(talks, number))
    return [_surround(row, order.seed) if at in chosen else row for at, row in enumerate(order.rows)]


def _surround(row: Example, seed: int) -> Example:
    chance = random.Random(f"surround/{seed}/{row.id}")
    around = chance.choice(surroundings())
    taken = _names(row.tools)
    tools = [*row.tools, *(tool for tool in _pick(around.domains, chance) if tool["function"]["name"] not in taken)]
    chance.shuffle(tools)
    messages = row.messages
    if messages[0].role != "system":
        messages = (Message(role="system", content=around.text), *messages)
    update = {
        "id": f"surround/{row.id}",
        "tools": tuple(tools),
        "messages": messages,
        "source": row.id,
        "stage": "surround",
    }
    return row.model_copy(update=update)


def _pick(domains: Sequence[str], chance: random.Random) -> list[dict[str, Any]]:
    shelf = surrounding_tools()
    own = [tool for domain in domains for tool in shelf[domain]]
    others = [tool for domain, tools in shelf.items() if domain not in domains for tool in tools]
    return [
        *chance.sample(own, min(len(own), chance.randint(*_OWN))),
        *chance.sample(others, min(len(others), chance.randint(*_STRAY))),
    ]


def prove_unchanged(order: Order, rows: Sequence[Example]) -> dict[str, Any]:
    """That no user turn differs and no added tool is called, as figures and hashes for the manifest.

    Raises ConfigError where it does not hold.
    """
    before, after = [_user_turns(row) for row in order.rows], [_user_turns(row) for row in rows]
    changed = sum(one != other for one, other in zip(before, after, strict=True))
    called = sum(_calls_added(old, new) for old, new in zip(order.rows, rows, strict=True))
    proof = {
        "rows": len(rows),
        "surrounded": sum(row.stage == "surround" for row in rows),
        "user_turns_changed": changed,
        "user_turns_sha256_before": _digest(before),
        "user_turns_sha256_after": _digest(after),
        "added_tools_called": called,
    }
    if changed or called or proof["user_turns_sha256_before"] != proof["user_turns_sha256_after"]:
        raise ConfigError(
            f"surround changed {changed} user turns and added {called} tools that are called; report this"
        )
    return proof


def _user_turns(row: Example) -> list[str]:
    return [message.content for message in row.messages if message.role == "user"]


def _calls_added(before: Example, after: Example) -> bool:
    added = _names(after.tools) - _names(before.tools)
    return any(_names(turn.tool_calls) & added for turn in after.messages)


def _names(entries: Sequence[Mapping[str, Any]]) -> set[str]:
    """The names of tools, or of those that are called, be they wrapped as functions or, in rows of others, plain."""
    return {str(entry.get("function", entry).get("name")) for entry in entries}


def _digest(rows: Sequence[Sequence[str]]) -> str:
    digest = hashlib.sha256()
    for turns in rows:
        for turn in turns:
            digest.update(turn.encode() + b"\0")
        digest.update(b"\1")
    return digest.hexdigest()


SURROUND = Intervention(
    about="any rows, with tools that are not needed and varied system prompts around them",
    library=surround_rows,
    proof=prove_unchanged,
    options={"share": ()},
    rows="changed",
)
