"""Everything that a report is made from, in one record: no dates, no timings, so that equal runs report equally."""

from __future__ import annotations

from teachwhy.core.records import Instrument, Record, Transcript, Verdict


class Check(Record):
    """One requirement of the fitness check, and what was found."""

    name: str
    instrument: Instrument
    value: float | None
    """None where nothing could be judged: the requirement is then missed."""
    bound: float
    at_least: bool
    """Whether the value must reach the bound, or stay at or below it."""

    @property
    def passed(self) -> bool:
        """Whether the requirement holds."""
        if self.value is None:
            return False
        return self.value >= self.bound if self.at_least else self.value <= self.bound


class Fitness(Record):
    """Is the start model fit for the experiment: is there a failure to mend, and is it measurable?"""

    checks: tuple[Check, ...]
    headline: Instrument
    """The instrument that may carry the headline: one that passed its own checks where there is one."""
    forced: bool = False
    """Whether the run went on although a check failed (``--unfit``)."""

    @property
    def fit(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def fits(self, instrument: Instrument) -> bool:
        """Whether every check of one instrument passed."""
        return all(check.passed for check in self.checks if check.instrument == instrument)


class Measured(Record):
    """One checkpoint, measured."""

    arm: str
    """``start`` for the model before any arm."""
    seed: int
    phase: str = ""
    """What was done to the arm after its own training, such as ``rl harmless`` or ``wash-out``; empty for nothing."""
    step: int = 0
    """How far that had gone: optimiser steps of RL, tokens of rows trained on; 0 is the arm as it was."""
    kl: float | None = None
    """Of RL: mean divergence from the arm in nats a token, at this step."""
    reward: float | None = None
    """Of RL: mean reward at this step."""
    verdicts: tuple[Verdict, ...]
    transcripts: tuple[Transcript, ...]
    rows: int = 0
    tokens: int = 0
    """Tokens of the training rows, read once."""
    steps: int = 0
    epochs: float = 0.0
    loss: float | None = None


class Results(Record):
    """A finished experiment."""

    name: str
    config: str
    """The experiment file, as it was run."""
    model: str
    held_out: tuple[str, ...]
    control: str
    """The arm that every other arm is read against."""
    instruments: tuple[Instrument, ...]
    fitness: Fitness
    start: Measured
    arms: tuple[Measured, ...]
    """Arm by arm, seed by seed."""
    later: tuple[Measured, ...] = ()
    """The same arms along what was done to them afterwards: phase by phase, seed by seed, in the order of steps."""
    scenes: dict[str, int]
    """Family to its number of measured scenes."""
    versions: dict[str, str]
    """Package to version, of what can change a number."""
    hashes: dict[str, str]
    """Stage name to the hash of all it depends on."""
