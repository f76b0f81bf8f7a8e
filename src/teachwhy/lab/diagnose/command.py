"""``teachwhy diagnose``: measures every stage, describes the rows, weighs the explanations, writes the report.

What was measured before is read: a second run of the same command does nothing anew.
"""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console

from teachwhy.core.records import Verdict
from teachwhy.core.store import Store
from teachwhy.diagnosis.hypotheses import Evidence, Moved, diagnose
from teachwhy.diagnosis.stages import compare_stages
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.honeypots.axes import Pair
from teachwhy.evals.honeypots.suite import load_suite
from teachwhy.judges.judging import open_judges
from teachwhy.lab.diagnose import ablate, reading
from teachwhy.lab.diagnose.advice import advise, write_experiment
from teachwhy.lab.diagnose.asked import Asked
from teachwhy.lab.diagnose.console import print_dry_run, print_report
from teachwhy.lab.diagnose.coverage import describe_rows, find_neighbours, judge_rows
from teachwhy.lab.diagnose.measuring import EVALS, Stage, measure_model, open_stages, plan_of, with_names
from teachwhy.lab.diagnose.report import Report, SourceRead, write_report
from teachwhy.lab.measure import count_samples, quiet
from teachwhy.lab.needs import require
from teachwhy.lab.progress import Bar
from teachwhy.lab.work import measuring, training

REPORT = "report"
_PACKAGES = ("inspect-ai", "numpy", "scipy", "torch", "transformers")


@dataclass(frozen=True)
class Job:
    """What is to be done, all of it known to be possible."""

    asked: Asked
    stages: tuple[Stage, ...]
    plans: dict[str, Plan]
    """Stage to how it is measured: the last one under other names too, where that was asked for."""
    samples: dict[str, int]
    """Stage to what it costs."""
    suite: tuple[Pair, ...]
    tallies: dict[str, reading.Tally]
    variants: tuple[ablate.Variant, ...] = ()

    @property
    def plan(self) -> Plan:
        """How a stage is measured."""
        return self.plans[self.stages[0].name]

    @property
    def measure_seconds(self) -> float:
        """Estimated seconds of one measurement."""
        return measuring(self.samples[self.stages[0].name])

    def seconds(self) -> float:
        """Estimated seconds of the whole."""
        recipe = ablate.recipe_of(self.stages[-1])
        measured = measuring(sum(self.samples.values()))
        return measured + sum(training(one.tokens, recipe) + self.measure_seconds for one in self.variants)


def run_diagnose(asked: Asked, console: Console) -> Report | None:
    """Diagnose, print and write the report; None for a dry run.

    Raises ConfigError or ModelError in one line for what can be known beforehand, before anything is written.
    """
    quiet()
    job = prepare(asked)
    if asked.dry_run:
        print_dry_run(job, console)
        return None
    store = Store(asked.out)
    with store.lock():
        bar = Bar(console)
        with bar.running(job.seconds()):
            report = _diagnose(job, store, bar, console)
    page = write_report(report, asked.out / REPORT)
    print_report(report, page, console)
    return report


def prepare(asked: Asked) -> Job:
    """Everything that can be wrong with what was asked is found here; nothing is written or spent."""
    stages = open_stages(asked)
    open_judges(asked.plan.judges)
    plan = plan_of(asked, stages)
    suite = load_suite(plan.families, unlock=plan.unlock)
    plans = {stage.name: plan for stage in stages}
    if asked.names:
        plans[stages[-1].name] = with_names(plan)
    # the tasks are made for what is wrong with them, too
    usual = count_samples(EVALS, plan)
    samples = {name: usual if one == plan else count_samples(EVALS, one) for name, one in plans.items()}
    tallies = {source.name: reading.tally(source) for source in asked.data}
    variants: list[ablate.Variant] = []
    if asked.ablate:
        ablate.check_trainable(stages[0])
        require("train")
        sources = ablate.read_sources(asked.data, stages[0].name)
        variants = ablate.plan_variants(sources, ablate.base_of(stages[0]), ablate.recipe_of(stages[-1]))
    return Job(asked, tuple(stages), plans, samples, tuple(suite), tallies, tuple(variants))


def _diagnose(job: Job, store: Store, bar: Bar, console: Console) -> Report:
    measured, hashes = _measure(job, store, bar)
    compared = compare_stages(measured)
    names = [stage.name for stage in job.stages]
    plan = job.plan
    rows = reading.by_stage(job.tallies, job.asked.data, names)
    rules = reading.learn_rules(load_suite())
    data = {name: reading.describe_stage(store, name, one, rules, plan.judges) for name, one in rows.items()}
    found = diagnose(Evidence(stages=compared, data=data))
    before, trained, moved = None, (), ()
    if job.variants and found.failure.instrument:
        before = found
        trained, moved = _ablate(job, store, bar, found.failure.instrument)
        found = diagnose(Evidence(stages=compared, data=data, moved=moved))
    advice = advise(found)
    last, instrument = job.stages[-1], found.failure.instrument
    path, why_not = write_experiment(advice, last, plan, instrument, job.asked.out)
    sources = [(source, job.tallies[source.name]) for source in job.asked.data]
    return Report(
        models={stage.name: stage.given for stage in job.stages},
        sources=tuple(
            SourceRead(name=source.name, stage=source.stage, rows=one.rows, unreadable=one.unreadable)
            for source, one in sources
        ),
        plan=json.dumps(plan.model_dump(mode="json", exclude_defaults=True), indent=1),
        compared=compared,
        diagnosis=found,
        before_ablation=before,
        data=data,
        described=describe_rows(job.asked.data, names[0], job.suite),
        judged=judge_rows(store, job.asked.data, names[0], plan.judges),
        nearest=find_neighbours(job.asked.data, names[0], job.suite, measured[names[-1]], instrument),
        ablation=trained,
        advice=advice,
        experiment=str(path) if path else "",
        no_experiment=why_not,
        judges=plan.judges,
        versions=_versions(),
        hashes=hashes,
    )


def _measure(job: Job, store: Store, bar: Bar) -> tuple[dict[str, tuple[Verdict, ...]], dict[str, str]]:
    measured: dict[str, tuple[Verdict, ...]] = {}
    hashes: dict[str, str] = {}
    for stage in job.stages:
        with bar.stage(f"measure {stage.name}", measuring(job.samples[stage.name])) as step:
            measured[stage.name], hashes[f"measure {stage.name}"] = measure_model(
                store, stage, job.plans[stage.name], step
            )
    return measured, hashes


def _ablate(job: Job, store: Store, bar: Bar, instrument: str) -> tuple[tuple[ablate.Trained, ...], tuple[Moved, ...]]:
    recipe = ablate.recipe_of(job.stages[-1])
    verdicts: Mapping[str, Sequence[Verdict]] = ablate.ablate(
        store, job.stages[0], job.variants, recipe, job.plan, bar, job.measure_seconds
    )
    return ablate.compare(job.variants, verdicts, instrument)


def _versions() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:  # stages behind an endpoint need no torch
            continue
    return found
