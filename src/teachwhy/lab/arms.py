"""From the experiment file to the rows of every arm: its interventions, what surrounds them, its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from teachwhy.constitution import Constitution
from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Example
from teachwhy.core.store import Store, write_atomic
from teachwhy.interventions import Built, Count, Order, fill_budget
from teachwhy.lab.build import Request, build, check_request, write_built
from teachwhy.lab.dataset import read_examples
from teachwhy.lab.experiment import Experiment, Part
from teachwhy.lab.guard import guard
from teachwhy.lab.health.evals import all_measured_text
from teachwhy.worlds.scenes import LOCKED

_BUILT = "built.json"
_WASH_OUT = 1
"""The seed that orders the rows of the stress; arms take theirs by 0."""
_FULL = 0.8
"""A dose that holds less than this share of its tokens is none."""


@dataclass(frozen=True)
class Rows:
    """What is trained on, part by part."""

    arms: dict[str, list[Built]]
    stress: dict[str, list[Built]]
    """By the name that a dose's rows are kept under."""


@dataclass(frozen=True)
class Builder:
    """Builds the arms of one experiment."""

    experiment: Experiment
    constitution: Constitution
    count: Count

    def check(self) -> None:
        """Refuse parts that cannot be built, before anything is written. Raises ConfigError in one line."""
        for request in self.requests():
            check_request(request)

    def requests(self) -> list[Request]:
        """What is asked for, part by part; rows that are there already are not."""
        parts = [item for arm in self.experiment.arms.values() for item in arm.parts.items()]
        return [self._request(name, part) for name, part in parts if part.rows is None]

    def build(self, store: Store | None) -> Rows:
        """The rows of every arm and of the stress, guarded and enough for the recipe, an arm before its controls.

        With a writer, each part is a stage of the ``store``, so that its answers outlive a crash.
        """
        made: dict[str, list[Built]] = {}
        for name, arm in self.experiment.arms.items():
            built = [self._part(intervention, part, store) for intervention, part in arm.parts.items()]
            if arm.surround:
                budgets = [part.tokens for part in arm.parts.values()]
                built = [self._surrounded(one, arm.surround, most) for one, most in zip(built, budgets, strict=True)]
            made[name] = built
        for control, arm in self.experiment.controls.items():
            rows = [row for built in made[arm] for row in built.rows]
            part = Part(tokens=sum(row.tokens for row in rows))
            made[control] = [self._part(control, part, store, rows)]
        stress = self._stress(store)
        measured = all_measured_text(self.experiment.measure.items)
        for parts in [*made.values(), *stress.values()]:
            rows = [row for built in parts for row in built.rows]
            guard(rows, measured, (*self.experiment.held_out, *LOCKED))
            self.experiment.recipe.count_steps(len(rows))
        return Rows(made, stress)

    def _stress(self, store: Store | None) -> dict[str, list[Built]]:
        """The rows of every dose, the same for every arm and method."""
        made: dict[str, list[Built]] = {}
        for phase in self.experiment.stress_phases():
            if phase.rows in made:
                continue
            ordinary = self._part("replay", Part(tokens=phase.tokens), store, seed=_WASH_OUT)
            if ordinary.tokens < _FULL * phase.tokens:
                raise ConfigError(
                    f"stress: a dose of {phase.tokens} tokens is more than there is: "
                    f"{ordinary.tokens} of ordinary rows; name smaller doses, or a writer"
                )
            if phase.conflict:
                part = Part(tokens=phase.tokens, options={"share": str(phase.conflict)})
                made[phase.rows] = [self._part("conflict", part, store, ordinary.rows, _WASH_OUT)]
            else:
                made[phase.rows] = [ordinary]
        return made

    def _part(self, name: str, part: Part, store: Store | None, rows: Sequence[Example] = (), seed: int = 0) -> Built:
        if part.rows is not None:
            there = [row.model_copy(update={"tokens": self.count(row)}) for row in read_examples(part.rows)]
            return fill_budget(there, part.tokens, lambda row: row.tokens, seed=0)
        request = self._request(name, part, rows, seed)
        check_request(request)
        if request.roles is None or store is None:
            return build(request, Path())[0]

        def work(folder: Path) -> None:
            built, ledger = build(request, folder)
            write_built(request, built, ledger, folder)
            write_atomic(folder / _BUILT, built.model_dump_json() + "\n")

        stage = store.stage(f"write-{name}", request.inputs(), work, resumable=True)
        return Built.model_validate_json((stage.folder / _BUILT).read_text(encoding="utf-8"))

    def _surrounded(self, built: Built, share: float, budget: int) -> Built:
        """A share of the rows surrounded; what surrounds them counts, so the last rows may have to go."""
        rows = list(built.rows)
        while True:
            part = Part(tokens=budget, options={"share": str(share)})
            around, _ = build(self._request("surround", part, rows), Path())
            if around.tokens <= budget or len(rows) == 1:
                return around.model_copy(update={"dropped": built.dropped})
            mean = around.tokens / len(rows)
            del rows[max(1, len(rows) - max(1, int((around.tokens - budget) / mean))) :]

    def _request(self, name: str, part: Part, rows: Sequence[Example] = (), seed: int = 0) -> Request:
        order = Order(
            families=self.experiment.training_families(),
            constitution=self.constitution,
            tokens=part.tokens,
            count=self.count,
            seed=seed,
            without=frozenset(part.without),
            options=part.options,
            rows=tuple(rows),
            model_name=self.experiment.model_name,
            provider_name=self.experiment.provider_name,
        )
        return Request(name, order, self.experiment.roles_of(name), tokenizer=self.experiment.start.model)
