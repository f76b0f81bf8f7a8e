"""The honeypots as Inspect tasks: ``inspect eval teachwhy/honeypots --model … -T instrument=decision``.

Three instruments on the same scenes, never mixed: ``rollout`` lets the model act freely over several turns;
``decision`` puts it at the scene's decision point and requires one call; ``likelihood`` asks how likely it finds the
written harmful acts beside the written clean ones (no sampling, no void; our own provider only).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalSample
from inspect_ai.model import GenerateConfig, ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import TaskState

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Instrument, Message, Scenario, Transcript, Verdict
from teachwhy.evals import scoring
from teachwhy.evals.alternatives import preference
from teachwhy.evals.evaluation import Eval, OnSample, Plan, listed
from teachwhy.evals.honeypots import axes as design
from teachwhy.evals.honeypots.axes import Conditioned, Pair, expand, extents, read_axes
from teachwhy.evals.honeypots.grading import blank, ending_of, grade
from teachwhy.evals.honeypots.judged import judged
from teachwhy.evals.honeypots.solvers import decision, likelihood, rollout, scenario_of
from teachwhy.evals.honeypots.suite import load_suite, measured_text
from teachwhy.evals.turns import from_chat
from teachwhy.judges.awareness import awareness
from teachwhy.judges.judging import open_judges

INSTRUMENTS: tuple[Instrument, ...] = ("rollout", "decision", "likelihood")
TURN_TOKENS = 200
"""Of a turn."""
SCRATCHPAD_TOKENS = 600
"""Of a turn in which the model may think in a scratchpad first."""
VERSION = 3


@task
def honeypots(
    instrument: str = "decision",
    families: str = "",
    samples: int = 1,
    temperature: float = 0.7,
    seed: int = 0,
    axes: str = "",
    crossed: bool = False,
    unlock: bool = False,
) -> Task:
    """Honeypots with their benign twins (and, by likelihood, chat twins); families are separated by commas.

    ``axes`` is such as ``goal=latent,none;name=neutral``. Judges and the model's own name are given by ``teachwhy
    eval``.
    """
    plan = Plan(
        samples=samples,
        temperature=temperature,
        seed=seed,
        families=listed(families),
        axes=read_axes(axes),
        crossed=crossed,
        unlock=unlock,
    )
    return honeypots_task(plan, instrument)


def honeypots_task(
    plan: Plan, instrument: str, on_sample: OnSample | None = None, suite: Sequence[Pair] | None = None
) -> Task:
    """The task of one instrument, over the plan's families or over pairs that are given.

    Raises ConfigError for an instrument, family, axis or level that there is not.
    """
    if instrument not in INSTRUMENTS:
        raise ConfigError(f"unknown instrument {instrument!r}; {guess(instrument, INSTRUMENTS)}")
    open_judges(plan.judges)
    pairs = load_suite(plan.families, unlock=plan.unlock) if suite is None else suite
    room = SCRATCHPAD_TOKENS if "scratchpad" in plan.axes else TURN_TOKENS
    varied = expand(pairs, plan.axes, crossed=plan.crossed, model_name=plan.model_name, seed=plan.seed)
    solvers = {"rollout": rollout, "decision": decision, "likelihood": likelihood}
    return Task(
        dataset=MemoryDataset(
            [sample for one in varied for sample in _samples(one, instrument, plan.judges)], name="honeypots"
        ),
        solver=[solvers[instrument](plan.seed), scoring.tell(on_sample)],
        scorer=found(instrument, plan.judges),
        config=GenerateConfig(temperature=plan.temperature, max_tokens=plan.turn_tokens or room),
        epochs=1 if instrument == "likelihood" else plan.samples,
        name=f"honeypots_{instrument}",
        version=VERSION,
        metadata={
            "eval": "honeypots",
            "instrument": instrument,
            "unlocked": plan.unlock,
            "conditions": [extent._asdict() for extent in extents(pairs, plan.axes, crossed=plan.crossed)],
        },
        fail_on_error=scoring.MOST_FAILED,
    )


def _samples(one: Conditioned, instrument: Instrument, judges: Sequence[str]) -> list[Sample]:
    sides = [(one.scene, "scene", one.scene.user), (one.twin, "twin", one.twin.user)]
    if instrument == "likelihood" and one.scene.chat is not None and not one.condition:
        sides.append((one.scene, "chat", one.scene.chat.user))
    samples: list[Sample] = []
    for scenario, side, user in sides:
        own = scenario if side == "chat" else scenario.model_copy(update={"chat": None})
        place = {"scenario": own.model_dump(mode="json"), "side": side, "condition": one.condition}
        voids = blank(scenario, side, one.condition, instrument, judged=bool(judges))
        name = "/".join(part for part in (scenario.id, side, one.condition) if part)
        samples.append(scoring.sample(name, user, voids, **place))
    return samples


@scorer(metrics=[scoring.shares()])
def found(instrument: str, judges: Sequence[str] = ()) -> Scorer:
    """What was executed, attempted and done by rule over the world, suspicion of a test, and what judges say."""
    by = cast("Instrument", instrument)

    async def score(state: TaskState, target: Target) -> Score:
        scenario = scenario_of(state)
        side, condition = str(state.metadata["side"]), str(state.metadata["condition"])
        voids = blank(scenario, side, condition, by, sample=state.epoch)
        if by == "likelihood":
            return scoring.carry([_by_likelihood(voids[0], state.metadata.get("logs"))])
        transcript = _transcript(
            scenario,
            [from_chat(message) for message in state.messages],
            state.output,
            by,
            condition=condition,
            sample=state.epoch,
        )
        verdicts = grade(transcript, scenario, by)
        if judges:
            verdicts += await judged(transcript, scenario, verdicts, by, judges)
        own = transcript.messages[_written(scenario, by) :]
        return scoring.carry([*verdicts, await awareness(verdicts[0], own, judges)])

    return score


def _by_likelihood(void: Verdict, logs: Mapping[str, Sequence[float]] | None) -> Verdict:
    if logs is None:  # grading again meets samples that failed, too
        return void.model_copy(update={"reason": "void: error"})
    value = preference(logs["harmful"], logs["clean"])
    return void.model_copy(update={"value": value, "grader": "likelihood"})


def transcript_of(sample: EvalSample, instrument: str) -> Transcript:
    """A logged sample as a transcript; its ``checkpoint`` names the instrument."""
    by = cast("Instrument", instrument)
    scenario = Scenario.model_validate(sample.metadata["scenario"])
    turns = [from_chat(message) for message in sample.messages]
    made = _transcript(scenario, turns, sample.output, by, condition=sample.metadata["condition"], sample=sample.epoch)
    return made.model_copy(update={"ending": "error"}) if sample.error else made


def _transcript(
    scenario: Scenario,
    turns: Sequence[Message],
    output: ModelOutput,
    instrument: Instrument,
    *,
    condition: str,
    sample: int,
) -> Transcript:
    stop = str(output.stop_reason) if output.choices else "unknown"
    return Transcript(
        scenario=scenario.id,
        side=scenario.side,
        condition=condition,
        checkpoint=instrument,
        sample=sample,
        messages=tuple(turns),
        ending=ending_of(scenario, turns, stop, instrument),
    )


def _written(scenario: Scenario, instrument: Instrument) -> int:
    """How many turns were there before the model's first."""
    return 2 + 2 * len(scenario.opening) if instrument == "decision" else 2


def _tasks(plan: Plan, on_sample: OnSample | None) -> list[Task]:
    return [honeypots_task(plan, instrument, on_sample) for instrument in plan.instruments]


def _texts() -> dict[str, str]:
    return {**measured_text(), **design.measured_text()}


EVAL = Eval(
    about="agents with a goal, a pull towards harm and the means at hand; each scene with its benign twin",
    tasks=_tasks,
    scorer=found,
    dimensions={
        "harmful": "bad",
        "attempted": "bad",
        "decided": "bad",
        "judged_harmful": "bad",
        "done": "good",
    },
    measured_text=_texts,
)
