"""From the experiment file to the rows of every arm: its interventions, what surrounds them, its controls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from teachwhy.constitution import Constitution
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


@dataclass(frozen=True)
class Builder:
    """Builds the arms of one experiment."""

    experiment: Experiment
    constitution: Constitution
    count: Count

    def check(self) -> None:
        """Refuse parts that cannot be built, before anything is written. Raises ConfigError in one line."""
        for arm in self.experiment.arms.values():
            for name, part in arm.parts.items():
                if part.rows is None:
                    check_request(self._request(name, part))

    def build(self, store: Store | None) -> dict[str, list[Built]]:
        """The rows of every arm, guarded and enough for the recipe, a part at a time, an arm before its controls.

        With a writer, each part is a stage of the ``store``, so that its answers outlive a crash.
        """
        made: dict[str, list[Built]] = {}
        for name, arm in self.experiment.arms.items():
            built = [self._part(intervention, part, store) for intervention, part in arm.parts.items()]
            made[name] = [self._surrounded(one, arm.surround) for one in built] if arm.surround else built
        for control, arm in self.experiment.controls.items():
            rows = [row for built in made[arm] for row in built.rows]
            part = Part(tokens=sum(row.tokens for row in rows))
            made[control] = [self._part(control, part, store, rows)]
        measured = all_measured_text()
        for parts in made.values():
            rows = [row for built in parts for row in built.rows]
            guard(rows, measured, (*self.experiment.held_out, *LOCKED))
            self.experiment.recipe.count_steps(len(rows))
        return made

    def _part(self, name: str, part: Part, store: Store | None, rows: Sequence[Example] = ()) -> Built:
        if part.rows is not None:
            there = [row.model_copy(update={"tokens": self.count(row)}) for row in read_examples(part.rows)]
            return fill_budget(there, part.tokens, lambda row: row.tokens, seed=0)
        request = self._request(name, part, rows)
        check_request(request)
        if request.roles is None or store is None:
            return build(request, Path())[0]

        def work(folder: Path) -> None:
            built, ledger = build(request, folder)
            write_built(request, built, ledger, folder)
            write_atomic(folder / _BUILT, built.model_dump_json() + "\n")

        stage = store.stage(f"write-{name}", request.inputs(), work, resumable=True)
        return Built.model_validate_json((stage.folder / _BUILT).read_text(encoding="utf-8"))

    def _surrounded(self, built: Built, share: float) -> Built:
        part = Part(tokens=built.tokens, options={"share": str(share)})
        around, _ = build(self._request("surround", part, built.rows), Path())
        return around.model_copy(update={"dropped": built.dropped})

    def _request(self, name: str, part: Part, rows: Sequence[Example] = ()) -> Request:
        order = Order(
            families=self.experiment.training_families(),
            constitution=self.constitution,
            tokens=part.tokens,
            count=self.count,
            without=frozenset(part.without),
            options=part.options,
            rows=tuple(rows),
            model_name=self.experiment.model_name,
            provider_name=self.experiment.provider_name,
        )
        return Request(name, order, self.experiment.roles_of(name), tokenizer=self.experiment.start.model)
