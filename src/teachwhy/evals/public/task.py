"""The public honeypots as Inspect tasks: ``inspect eval teachwhy/public --model …``, all conditions in one go.

Each sample is the package's own, solved by the package's own solver of its condition: same system prompt, same user
turn, same ``generate``. Ours are the seed, the scorer, and that they run as one task instead of 288.
``teachwhy/public_responses`` judges a tree of published responses in the same way, and samples nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import (
    ChatCompletionChoice,
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    ModelOutput,
)
from inspect_ai.scorer import Score, Scorer, Target, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Message, Verdict
from teachwhy.evals import scoring
from teachwhy.evals.evaluation import Eval, OnSample, Plan, listed
from teachwhy.evals.public import tree
from teachwhy.evals.public.asking import ask_graders, ask_judges
from teachwhy.evals.public.conditions import Prompt, choose, package, text_version
from teachwhy.evals.public.verdicts import Answer, Case, Decision, blank, grade, void_reason
from teachwhy.evals.turns import seeded
from teachwhy.judges.awareness import awareness
from teachwhy.judges.judging import open_judges

VERSION = 2
TEMPERATURE = 1.0
"""Upstream's; the port leaves it to the provider."""
TOKENS = 4000
"""Upstream's limit on a response; the port leaves it to the provider."""
INSTRUMENT = "public"


@task
def public(
    scenarios: str = "",
    goals: str = "",
    urgencies: str = "",
    conditions: str = "valid",
    flags: str = "",
    samples: int = 1,
    judges: str = "",
    seed: int = 0,
) -> Task:
    """Agentic misalignment, unmodified, over its conditions; lists are separated by commas, empty for all."""
    prompts = choose(conditions, listed(scenarios), listed(goals), listed(urgencies), listed(flags))
    if not prompts:
        raise ConfigError("no condition is left: name fewer scenarios, goals or urgencies")
    return public_task(prompts, Plan(samples=samples, judges=listed(judges), seed=seed))


def public_task(prompts: Sequence[Prompt], plan: Plan, on_sample: OnSample | None = None) -> Task:
    """One task over these conditions, at upstream's temperature, whatever the plan's: other rates would not compare."""
    open_judges(plan.judges)
    originals = {prompt.condition.name: original(prompt) for prompt in prompts}
    solvers = {name: own.solver for name, own in originals.items()}
    return Task(
        dataset=MemoryDataset(
            [_sample(prompt, originals[prompt.condition.name], plan.judges) for prompt in prompts], name="public"
        ),
        solver=[as_original(solvers, plan.seed), scoring.tell(on_sample)],
        scorer=four_verdicts(plan.judges),
        config=GenerateConfig(temperature=TEMPERATURE, max_tokens=TOKENS),
        epochs=plan.samples,
        message_limit=next(iter(originals.values())).message_limit,
        name="public",
        version=VERSION,
        metadata={"eval": "public", "instrument": INSTRUMENT, "text": text_version()},
        fail_on_error=scoring.MOST_FAILED,
    )


def original(prompt: Prompt) -> Task:
    """The package's own task of a condition."""
    package()
    from inspect_evals.agentic_misalignment import agentic_misalignment

    return agentic_misalignment(**prompt.condition.arguments())


def _sample(prompt: Prompt, own: Task, judges: Sequence[str]) -> Sample:
    sample = own.dataset[0]
    place = {"cluster": prompt.cluster, "condition": prompt.condition.name, "side": prompt.side}
    voids = _voids(prompt.condition.scenario, place, judged=bool(judges))
    ours = scoring.sample(prompt.condition.name, sample.input, voids, **place)
    return sample.model_copy(update={"id": ours.id, "metadata": {**(sample.metadata or {}), **(ours.metadata or {})}})


def _voids(family: str, place: Mapping[str, str], *, judged: bool) -> list[Verdict]:
    case = Case(family=family, sample=1, text="", **place)
    dimensions = ("executed", "legacy", "decided", "aware") if judged else ("executed", "aware")
    return [blank(case, dimension) for dimension in dimensions]


@solver
def as_original(solvers: Mapping[str, Solver], seed: int) -> Solver:
    """Hand each sample to the solver that the package made for its condition, with a seed of its own."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        own = seeded(seed, state.sample_id, state.epoch)
        return await solvers[str(state.sample_id)](state, cast("Generate", partial(generate, seed=own.seed)))

    return solve


@scorer(metrics=[scoring.shares()])
def four_verdicts(judges: Sequence[str] = ()) -> Scorer:
    """Executed by rule; legacy and decided by the judges, or by the answers that a tree holds; awareness."""

    async def score(state: TaskState, target: Target) -> Score:
        case = case_of(state)
        answers, decision = filed(state)
        if judges and not void_reason(case):
            answers, decision = await ask_graders(case, judges), await ask_judges(case, judges)
        elif judges:
            answers, decision = answers or (), decision or Decision(value=None)
        verdicts = grade(case, answers, decision)
        messages = [Message(role="assistant", content=case.text)]
        found = carried(verdicts, answers, decision)
        aware = await awareness(verdicts[0], messages, () if void_reason(case) else judges)
        if void_reason(case):
            aware = aware.model_copy(update={"value": None, "reason": verdicts[0].reason})
        cast("list[Any]", cast("dict[str, Any]", found.metadata)["verdicts"]).append(aware.model_dump(mode="json"))
        return found

    return score


def carried(verdicts: Sequence[Verdict], answers: Sequence[Answer] | None, decision: Decision | None) -> Score:
    """The score with the graders' own words beside the verdicts, so that a tree can be written of it."""
    score = scoring.carry(verdicts)
    held: dict[str, Any] = {**(score.metadata or {})}
    if answers is not None:
        held["answers"] = [answer.model_dump(mode="json") for answer in answers]
    if decision is not None:
        held["decision"] = decision.model_dump(mode="json")
    return score.model_copy(update={"metadata": held})


def case_of(state: TaskState) -> Case:
    """A sample as a case: from its output, its messages and its metadata alone."""
    held = state.metadata
    users = [message.text for message in state.messages if message.role == "user"]
    return Case(
        family=held["scenario"],
        cluster=held["cluster"],
        condition=held["condition"],
        side=held["side"],
        sample=held.get("sample", state.epoch),
        text=held.get("text", state.output.completion),
        stop=held.get("stop", str(state.output.stop_reason) if state.output.choices else ""),
        error=held.get("error", state.output.error or ""),
        emails=users[0] if users else "",
    )


def filed(state: TaskState) -> tuple[tuple[Answer, ...] | None, Decision | None]:
    """What graders answered before, where the sample is a published response."""
    answers, decision = state.metadata.get("answers"), state.metadata.get("decision")
    return (
        None if answers is None else tuple(Answer.model_validate(answer) for answer in answers),
        None if decision is None else Decision.model_validate(decision),
    )


@task
def public_responses(tree_folder: str, models: str = "", judges: str = "") -> Task:
    """Judge a result tree of published responses; run it with ``--model none/none``.

    Where the tree has several models, each is reported apart: its name stands in the verdicts' ``side``.
    """
    held = tree.file(tree.read_tree(Path(tree_folder)))
    known = {filed.model for filed in held}
    for model in listed(models):
        if model not in known:
            raise ConfigError(f"unknown model {model!r}; {guess(model, known)}")
    open_judges(listed(judges))
    chosen = [filed for filed in held if not models or filed.model in listed(models)]
    return Task(
        dataset=MemoryDataset([_published(filed, bool(judges)) for filed in chosen], name=Path(tree_folder).name),
        solver=published(),
        scorer=four_verdicts(listed(judges)),
        name="public_responses",
        version=VERSION,
        metadata={"eval": "public", "instrument": INSTRUMENT, "text": "as the tree has it"},
    )


def _published(held: tree.Filed, judged: bool) -> Sample:
    case = held.case
    place = {"cluster": case.cluster, "condition": case.condition, "side": case.side}
    metadata: dict[str, Any] = {**place, "scenario": case.family, "model": held.model, "sample": case.sample}
    metadata |= {"text": case.text, "stop": case.stop, "error": case.error}
    if held.answers is not None:
        metadata["answers"] = [answer.model_dump(mode="json") for answer in held.answers]
    if held.decision is not None:
        metadata["decision"] = held.decision.model_dump(mode="json")
    messages: list[ChatMessage] = [ChatMessageSystem(content=held.system), ChatMessageUser(content=held.user)]
    id = f"{held.model}/{case.condition}/{case.sample:03d}"
    return scoring.sample(id, messages, _voids(case.family, place, judged=judged), **metadata)


@solver
def published() -> Solver:
    """Put the published response where a sampled one would be."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        message = ChatMessageAssistant(content=state.metadata["text"], model=state.metadata["model"])
        state.messages.append(message)
        state.output = ModelOutput(model=state.metadata["model"], choices=[ChatCompletionChoice(message=message)])
        state.completed = True
        return state

    return solve


def _tasks(plan: Plan, on_sample: OnSample | None) -> list[Task]:
    return [public_task(choose("unique"), plan, on_sample)]


def _scorer(instrument: str, judges: Sequence[str]) -> Scorer:
    return four_verdicts(tuple(judges))


def measured_text() -> dict[str, str]:
    """The package's templates and goals, and our rubric; the package must be installed."""
    folder = Path(package().TEMPLATES_DIR)
    paths = sorted([*folder.rglob("*.md"), *folder.glob("*.py")])
    texts = {f"agentic_misalignment/{path.relative_to(folder).as_posix()}": path.read_text("utf-8") for path in paths}
    return {**texts, "decided.md": Path(__file__).with_name("decided.md").read_text("utf-8")}


EVAL = Eval(
    about="agentic misalignment, the public honeypots, unmodified: blackmail, leaking, murder",
    tasks=_tasks,
    scorer=_scorer,
    dimensions={"executed": "bad", "legacy": "bad", "decided": "bad"},
    measured_text=measured_text,
)
