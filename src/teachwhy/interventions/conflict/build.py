"""Conflict: rows that contradict the constitution, a few among others, for the stress test.

The agent takes the bait: written harmful acts of the training scenes, or, with a writer, what it does under the
ruthless persona where that is harmful. Alone, as many as the budget holds; with ``--rows``, those rows and so many
conflicting ones that they make up ``share`` of all, 0.02 where nothing else is said. Each is marked: its intervention
is ``conflict``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example, Scenario
from teachwhy.interventions.intervention import Intervention, Item, Order, Step, read_share
from teachwhy.interventions.library.shelf import act_row, training_scenes
from teachwhy.interventions.sampling.agent import PROMPTS, act, every_scene, judge, sampled_row, takes_bait
from teachwhy.interventions.sampling.injections import RUTHLESS, load_injections
from teachwhy.interventions.writers import Dropped, Writers

SHARE = 0.02
"""In independent work, 2% of such rows overrode 190M tokens of documents."""


def conflict_rows(order: Order) -> list[Example]:
    """Every written harmful act of every training scene of these families."""
    return [
        act_row(scene, number, intervention="conflict", harmful=True)
        for scene in training_scenes(order.families)
        for number in range(len(scene.harmful))
    ]


def mix_in(order: Order, rows: Sequence[Example]) -> list[Example]:
    """The order's rows and so many conflicting ones that they are the share of all; these alone where it has none."""
    if not order.rows:
        return list(rows)
    share = read_share(order, SHARE)
    needed = max(1, round(len(order.rows) * share / (1 - share))) if share < 1 else len(rows)
    if needed > len(rows):
        raise ConfigError(
            f"a share of {share:g} needs {needed} conflicting rows and there are {len(rows)}; raise --tokens"
        )
    return [*order.rows, *rows[:needed]]


def conflict_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each scene and sample."""

    def item(scene: Scenario, sample: int) -> Item:
        return Item(f"conflict/{scene.id}-s{sample}", partial(_harmful, order, writers, scene, sample))

    return every_scene(order, item)


async def _harmful(order: Order, writers: Writers, scene: Scenario, sample: int) -> Example:
    turns, answer = await act(writers, scene, sample, load_injections()[RUTHLESS])
    judged = takes_bait(scene, answer) or "judge" in order.without
    if not (takes_bait(scene, answer) if judged else await judge(writers, scene, answer) == "harmful"):
        raise Dropped("did not take the bait")
    return sampled_row("conflict", scene, sample, turns, answer.turn(), [answer])


CONFLICT = Intervention(
    about="rows that contradict the constitution, for the stress test",
    library=conflict_rows,
    pipeline=conflict_items,
    prompts=PROMPTS,
    steps=(Step("act", 2.0, optional=False), Step("judge", 1.0)),
    options={"share": ()},
    rows="mixed_in",
    finish=mix_in,
)
