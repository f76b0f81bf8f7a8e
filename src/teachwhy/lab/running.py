"""What the steps of one run share, and the step that they all end in: a checkpoint is measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from teachwhy.core.store import Store
from teachwhy.lab import stages
from teachwhy.lab.experiment import Experiment
from teachwhy.lab.progress import Bar
from teachwhy.lab.results import Measured
from teachwhy.lab.work import Work


@dataclass
class Running:
    """One run of an experiment."""

    experiment: Experiment
    store: Store
    bar: Bar
    work: Work
    hashes: dict[str, str] = field(default_factory=dict[str, str])
    """Stage to its key."""

    def measure(self, name: str, arm: str, checkpoint: stages.Checkpoint, seed: int) -> Measured:
        """A checkpoint by every eval of the experiment; ``name`` is the stage's."""
        plan = self.experiment.plan(seed)
        with self.bar.stage(f"measure {name}", self.work.measure()) as step:
            stage = stages.measure_stage(
                self.store, name, checkpoint, self.experiment.evals, plan, step, self.experiment.measure.provider
            )
        self.hashes[f"measure {name}"] = stage.key
        verdicts, transcripts = stages.read_measured(stage)
        return Measured(arm=arm, seed=seed, verdicts=verdicts, transcripts=transcripts)
