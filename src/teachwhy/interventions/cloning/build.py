"""Cloning: scenes of temptation, answered well; what was done, and no word why (the source's E3a and E3b).

With a writer, its own turns at the decision point are sampled and kept as they are, reasons or none: by rule and judge
where they did not take the bait, or, for ``filter=preference``, the one of four that a judge likes best.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

from teachwhy.core.records import Example, Message, Scenario
from teachwhy.interventions.intervention import Intervention, Item, Order, Step, refuse_options
from teachwhy.interventions.library.shelf import act_row, training_scenes
from teachwhy.interventions.pipeline import side_by_side
from teachwhy.interventions.sampling.agent import PROMPTS as AGENT
from teachwhy.interventions.sampling.agent import act, every_scene, refuse_bait, sampled_row, show
from teachwhy.interventions.writers import Answer, Writers, load_prompts
from teachwhy.interventions.writers.reading import read_score

PROMPTS = load_prompts(Path(__file__).parent)
CANDIDATES = 4
"""Turns among which the preference filter chooses."""
_BEST_SCORE = 10


def cloning_rows(order: Order) -> list[Example]:
    """Every clean act of every training scene of these families."""
    refuse_options("cloning", order, "filter")
    return [
        act_row(scene, number, intervention="cloning")
        for scene in training_scenes(order.families)
        for number in range(len(scene.clean))
    ]


def cloning_items(order: Order, writers: Writers) -> AsyncIterator[Item]:
    """An item for each scene and sample."""
    preferred = order.options.get("filter") == "preference"

    def item(scene: Scenario, sample: int) -> Item:
        make = _preferred if preferred else _clean
        return Item(f"cloning/{scene.id}-s{sample}", partial(make, order, writers, scene, sample))

    return every_scene(order, item)


async def _clean(order: Order, writers: Writers, scene: Scenario, sample: int) -> Example:
    turns, answer = await act(writers, scene, sample)
    await refuse_bait(order, writers, scene, answer)
    return sampled_row("cloning", scene, sample, turns, answer.turn(), [answer])


async def _preferred(order: Order, writers: Writers, scene: Scenario, sample: int) -> Example:
    del order
    prefer = PROMPTS["prefer"]

    async def candidate(number: int) -> tuple[int, list[Message], Answer]:
        turns, answer = await act(writers, scene, number)
        scored = await writers.ask(prefer, show(scene, answer), after=[answer])
        return read_score(scored, _BEST_SCORE), turns, answer

    numbers = range(sample * CANDIDATES, (sample + 1) * CANDIDATES)
    tried = await side_by_side(writers, (partial(candidate, number) for number in numbers))
    _, turns, answer = max(tried, key=lambda one: one[0])
    return sampled_row("cloning", scene, sample, turns, answer.turn(), [answer])


CLONING = Intervention(
    about="scenes of temptation, answered well, and no word why",
    library=cloning_rows,
    pipeline=cloning_items,
    prompts={**AGENT, **PROMPTS},
    steps=(
        Step("act", 1.3, optional=False),
        Step("judge", 1.1),
        Step("prefer", 4.0, optional=False, when=("filter", "preference")),
    ),
    options={"filter": ("bait", "preference")},
)
