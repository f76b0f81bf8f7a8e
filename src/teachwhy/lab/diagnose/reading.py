"""What the explanations ask about rows: do they work with tools, are they like the scenes, how do they end?

One pass over all rows counts the first two by rule. How rows end is read in a sample of those that end in a call: by
judges where there are some, by the words of the call else.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Call, Message, Record, Scenario
from teachwhy.core.shards import UnreadableRowError, find_shards, parse, read_raw, row_files
from teachwhy.core.stats import Graded, Observation, corrected_rate, rate
from teachwhy.core.stats.rates import SMALL, interval
from teachwhy.core.store import Store, content_key
from teachwhy.diagnosis.acts import Act, Words, grade, learn
from teachwhy.diagnosis.coverage import cover
from teachwhy.diagnosis.describe import UNCLEAR, YES
from teachwhy.diagnosis.hypotheses import Data, Share
from teachwhy.evals.honeypots.axes import Pair
from teachwhy.judges.judging import as_text, judge
from teachwhy.judges.rubric import named_rubric
from teachwhy.lab.dataset import to_example
from teachwhy.lab.diagnose.asked import AFTER, Source
from teachwhy.lab.report.words import percent
from teachwhy.worlds.opening import offered_tools, turns_to_decision

SAMPLE = 200
"""Rows that end in a call whose ending is read, of each stage."""
JUDGED = 60
"""The same where judges read, of whom each costs."""
ALIKE = "own dilemma with tools"
"""The cell of the axes that says whether a row is like the scenes."""
_SMALL = 1 << 26
"""Bytes of rows below which no further process is started."""
_NO_CALLS = ("called", "none")
COLUMNS = ("id", "text", "messages", "prompt", "completion", "tools", "conversations")


class Ending(Record):
    """A row that ends in a call, as far as its ending is read."""

    name: str
    act: str
    """The words of its last calls."""
    messages: tuple[Message, ...]


@dataclass
class Tally:
    """What the rows of a source or a stage came to."""

    rows: int = 0
    unreadable: int = 0
    works: int = 0
    """Rows in which the model calls a tool."""
    alike: int = 0
    """Rows that a rule takes to be like the scenes: tools in hand, goals that collide, the assistant to decide."""
    unclear: int = 0
    """Rows of which the rule cannot tell that."""
    ends: int = 0
    """Rows that end in a call."""
    sample: list[tuple[float, Ending]] = field(default_factory=list[tuple[float, Ending]])
    """A fair draw of those, each with the number by which it was drawn."""

    def add(self, other: Tally) -> None:
        """Take another's rows in."""
        self.rows += other.rows
        self.unreadable += other.unreadable
        self.works += other.works
        self.alike += other.alike
        self.unclear += other.unclear
        self.ends += other.ends
        self.sample = _drawn([*self.sample, *other.sample])

    def endings(self, most: int) -> list[Ending]:
        """At most so many of the endings, the same at every run."""
        return [ending for _, ending in _drawn(self.sample)[:most]]


@dataclass(frozen=True)
class Rules:
    """The rules by which rows are read, and their errors where the truth is known."""

    words: Words
    """Whether an act is harmful."""
    acts: list[Graded]
    """What that says of written acts of scenes that it was not learnt from."""


def tally(source: Source) -> Tally:
    """What a source came to. Raises ConfigError where no row can be read."""
    covered = cover([source.path], workers=workers_for([source.path]))
    if not covered.rows:
        raise ConfigError(
            f"--data {source.path}: none of its {covered.unreadable} lines is a row that can be read; give rows with "
            "messages, prompt or text"
        )
    found = Tally(
        rows=covered.rows,
        unreadable=covered.unreadable,
        works=covered.rows - covered.at(*_NO_CALLS).rows,
        alike=covered.at(ALIKE, YES).rows,
        unclear=covered.at(ALIKE, UNCLEAR).rows,
    )
    for ending in _endings(source):
        found.ends += 1
        found.sample.append((random.Random(f"endings/{ending.name}").random(), ending))
        if len(found.sample) > 2 * SAMPLE:
            found.sample = _drawn(found.sample)
    return found


def workers_for(paths: Sequence[Path]) -> int | None:
    """One process for rows that are read sooner than others would start; None for as many as there are cores."""
    size = sum(file.stat().st_size for path in paths for file in row_files(path))
    return 1 if size < _SMALL else None


def _drawn(sample: list[tuple[float, Ending]]) -> list[tuple[float, Ending]]:
    return sorted(sample, key=lambda one: (one[0], one[1].name))[:SAMPLE]


def _endings(source: Source) -> Iterator[Ending]:
    for shard in find_shards(source.path):
        for number, raw in read_raw(shard, COLUMNS):
            with suppress(UnreadableRowError):
                ending = read_ending(parse(raw), f"{source.name}:{number}")
                if ending is not None:
                    yield ending


def by_stage(tallies: Mapping[str, Tally], sources: Sequence[Source], stages: Sequence[str]) -> dict[str, Tally]:
    """The rows of each stage, and under the empty name of everything after the first.

    Rows that were tied to no stage count for every stage after the first that has no rows of its own.
    """
    first, *later = stages
    tied: dict[str, Tally] = {}
    for source in sources:
        tied.setdefault(source.stage, Tally()).add(tallies[source.name])
    found: dict[str, Tally] = {}
    after = Tally()
    for name in (AFTER, *later):
        if name in tied:
            after.add(tied[name])
    if after.rows:
        found[AFTER] = after
    for name in later:
        own = tied.get(name, tied.get(AFTER))
        if own is not None:
            found[name] = own
    if first in tied:
        found[first] = tied[first]
    return found


def describe_stage(store: Store, name: str, found: Tally, rules: Rules, judges: Sequence[str]) -> Data:
    """What the explanations ask about some rows; what judges said is kept in the store."""
    return Data(
        rows=found.rows,
        works=_share(found.works, found.rows),
        alike=_alike(found),
        harmful=_harmful(store, name or "after", found, rules, judges),
    )


def read_ending(row: Mapping[str, Any], name: str) -> Ending | None:
    """How a row ends, if it does in a call of a tool."""
    try:
        example = to_example(row, name)
    except ConfigError:
        return None
    last = example.messages[-1] if example.messages else None
    if last is None or last.role != "assistant" or not last.tool_calls:
        return None
    about = {
        str(tool.get("function", tool).get("name")): str(tool.get("function", tool).get("description", ""))
        for tool in example.tools
    }
    acts = [_words(entry["function"], about) for entry in last.tool_calls]
    return Ending(name=str(row.get("id") or name), act=" ".join(acts), messages=example.messages)


def _words(function: Mapping[str, Any], about: Mapping[str, str]) -> str:
    name, arguments = str(function.get("name", "")), function.get("arguments", {})
    values = cast("Mapping[str, object]", arguments).values() if isinstance(arguments, Mapping) else [arguments]
    said = [value if isinstance(value, str) else json.dumps(value, default=str) for value in values]
    return " ".join([name.replace("_", " "), about.get(name, ""), *said])


def written_acts(suite: Iterable[Pair]) -> list[Act]:
    """The acts that were written for the scenes: what the rule learns from, and is measured on."""
    found: list[Act] = []
    for scene, twin in suite:
        found += [Act(scene.id, True, _act(call, scene)) for call in scene.harmful]
        found += [Act(scene.id, False, _act(call, scene)) for call in scene.clean]
        found += [Act(scene.id, False, _act(call, twin)) for call in twin.clean]
    return found


def _act(call: Call, scenario: Scenario) -> str:
    tool = scenario.tool(call.tool)
    return _words({"name": call.tool, "arguments": call.args}, {call.tool: tool.about if tool else ""})


def _share(count: int, of: int, by: str = "") -> Share:
    low, high = interval(count, of, small=of < SMALL)
    return Share(value=count / of, low=min(low, count / of), high=max(high, count / of), by=by)


def _alike(found: Tally) -> Share:
    """The share of rows like the scenes, by rule: as it is, like the gap in coverage that is ranked beside it."""
    unclear = f"{percent(found.unclear / found.rows)} unclear" if found.unclear else ""
    return _share(found.alike, found.rows, unclear)


def learn_rules(suite: Sequence[Pair]) -> Rules:
    """The rules, and what they say of scenes whose truth is written."""
    acts = written_acts(suite)
    return Rules(learn(acts), grade(acts))


def scene_row(side: Scenario) -> dict[str, Any]:
    """A scene as a training row would hold it, up to its decision point."""
    turns = [turn.row() for turn in turns_to_decision(side)]
    return {"id": side.id, "messages": turns, "tools": offered_tools(side, 0)}


def _harmful(store: Store, name: str, found: Tally, rules: Rules, judges: Sequence[str]) -> Share:
    """The share of all rows that end in a harmful act: those that end in a call, times what is read of a sample."""
    if not found.ends:
        return _share(0, found.rows, "none ends in a call")
    ends = _share(found.ends, found.rows)
    read = _judged(store, name, found.endings(JUDGED), judges) if judges else _ruled(found.endings(SAMPLE), rules)
    value = None if read.value is None or ends.value is None else read.value * ends.value
    return Share(value=value, low=read.low * ends.low, high=read.high * ends.high, by=read.by)


def _ruled(endings: Sequence[Ending], rules: Rules) -> Share:
    said = [Observation(one.name, float(rules.words.is_harmful(one.act))) for one in endings]
    found = corrected_rate(said, rules.acts)
    # so weak a rule may find harm, but does not rule it out: its errors on other acts need not be those on these
    return Share(value=found.value, low=found.low, high=1.0, by=f"by rule on {len(endings)} endings, corrected")


def _judged(store: Store, name: str, endings: Sequence[Ending], judges: Sequence[str]) -> Share:
    texts = {one.name: as_text(one.messages) for one in endings}
    rubric = named_rubric("harmful")
    inputs = {"texts": content_key(texts), "judges": list(judges), "rubric": rubric.sha256}

    async def ask() -> dict[str, float | None]:
        said = await asyncio.gather(*(judge(rubric, text, judges) for text in texts.values()))
        return {key: one.value for key, one in zip(texts, said, strict=True)}

    def work(folder: Path) -> None:
        (folder / "said.json").write_text(json.dumps(asyncio.run(ask())), encoding="utf-8")

    stage = store.stage(f"read-{name}", inputs, work)
    said: dict[str, float | None] = json.loads((stage.folder / "said.json").read_text(encoding="utf-8"))
    found = rate(Observation(key, value) for key, value in said.items())
    void = f", {found.void} void" if found.void else ""
    by = f"by {' and '.join(judges)} over {len(endings)} endings{void}"
    return Share(value=found.value, low=found.low, high=found.high, by=by)
