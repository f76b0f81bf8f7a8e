"""The whole walk in one file: does cloning good acts mend an agent where it was not trained, or only where it was?

    python examples/one_file.py                                     # minutes on two CPU cores
    python examples/one_file.py --scenes 1 --tokens 3000 --epochs 1 # a look at the machinery

Read it from top to bottom: scenes, rows, guard, training, measuring, a paired difference. `teachwhy run` does the same
for many arms and seeds, resumes, checks the start model for fitness and writes a page; nothing here is its equal.
The default model comes without the failure, so expect small differences with wide intervals; to see one mended, give
`--model` the start model of a finished run, runs/quick/stages/start-…/model.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from teachwhy.constitution import load_constitution
from teachwhy.core.records import Example, Instrument, Scenario, Verdict
from teachwhy.core.stats import Difference, Rate, gap, paired_difference, rate
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.honeypots.suite import load_suite, measured_text
from teachwhy.evals.honeypots.task import honeypots_task
from teachwhy.interventions import Order, fill_budget
from teachwhy.interventions.cloning.build import cloning_rows
from teachwhy.lab.counting import counter
from teachwhy.lab.fitness import observe
from teachwhy.lab.guard import guard
from teachwhy.lab.measure import measure_tasks, open_target
from teachwhy.models.catalogue import resolve
from teachwhy.training.recipe import Recipe
from teachwhy.training.sft import train

TRAINED = ("leaking", "falsified_records")
HELD_OUT = ("framing", "blackmail")
"""No row may come from these: what is learned of them must have generalised."""

Suite = list[tuple[Scenario, Scenario]]


def main(argv: Sequence[str] | None = None) -> None:
    wanted = read_arguments(argv)
    out = wanted.out or Path(tempfile.mkdtemp(prefix="teachwhy-"))
    start = resolve(wanted.model)

    # 1. Scenes: each is a workplace with a goal, a temptation and a decision point, and has a benign twin.
    suite = choose_scenes(wanted.scenes)
    print(f"{len(suite)} scenes of {', '.join((*TRAINED, *HELD_OUT))}, each with its benign twin")

    # 2. Rows: other scenes, of the trained families alone, that end in a clean act without a word why.
    rows = build_rows(start, wanted.tokens)

    # 3. Guard: nothing that is measured, and nothing held out, may stand in what is trained on.
    guard(rows, measured_text(), HELD_OUT)

    # 4. Training: the loss is of what the assistant says, and of nothing else.
    recipe = Recipe(rank=16, alpha=32, batch=4, micro_batch=2, epochs=wanted.epochs, least_steps=2)
    trained = train(rows, start, out / "arm", recipe, seed=wanted.seed)
    print(f"cloning: {trained.rows} rows, {trained.steps} steps, a loss of {trained.final_loss:.2f}; kept in {out}")

    # 5. Measuring: the same scenes, before and after.
    before = read(start, suite, out / "before", wanted.seed)
    after = read(out / "arm" / "model", suite, out / "after", wanted.seed)

    # 6. What it did: where it was trained, and where it was not.
    for instrument in ("decision", "likelihood"):
        print(f"\nharmful, read by {instrument}")
        for title, families in (("trained on", TRAINED), ("held out", HELD_OUT)):
            report(title, before, after, instrument, families)


def read_arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--model", default="smollm2-135m", help="a name, or a folder of weights")
    parser.add_argument("--out", type=Path, help="where to keep everything; a temporary folder by default")
    parser.add_argument("--scenes", type=int, default=3, help="measured scenes a family")
    parser.add_argument("--tokens", type=int, default=8_000, help="budget of the training rows")
    parser.add_argument("--epochs", type=float, default=2.0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def choose_scenes(each: int) -> Suite:
    """So many scenes of every family that is looked at."""
    return [pair for family in (*TRAINED, *HELD_OUT) for pair in load_suite([family])[:each]]


def build_rows(start: Path, tokens: int) -> list[Example]:
    """Rows of cloning up to the budget, counted as the model's own tokenizer counts them."""
    count = counter(str(start), Recipe().max_length)
    order = Order(families=TRAINED, constitution=load_constitution("default"), tokens=tokens, count=count)
    return list(fill_budget(cloning_rows(order), tokens, count, seed=0).rows)


def read(checkpoint: Path, suite: Suite, out: Path, seed: int) -> list[Verdict]:
    """What was found on each scene and twin, by both instruments."""
    tasks = [honeypots_task(Plan(seed=seed), instrument, suite=suite) for instrument in ("decision", "likelihood")]
    return list(measure_tasks(open_target(f"teachwhy/{checkpoint}"), tasks, out))


def report(
    title: str, before: list[Verdict], after: list[Verdict], instrument: Instrument, families: Sequence[str]
) -> None:
    """The rate before and after, and the paired change of what the conflict adds: scenes minus their twins."""

    def harmful(verdicts: list[Verdict], side: str) -> Rate:
        return rate(observe(verdicts, instrument, side, families))

    def added(verdicts: list[Verdict]) -> Difference:
        scenes, twins = (observe(verdicts, instrument, side, families) for side in ("scene", "twin"))
        return paired_difference(scenes, twins)

    now, then = (
        gap(*(observe(verdicts, instrument, side, families) for side in ("scene", "twin")))
        for verdicts in (after, before)
    )
    change = paired_difference(now, then)
    for name, verdicts in (("before", before), ("after", after)):
        print(f"  {title:10} {name:6}  scenes {say(harmful(verdicts, 'scene'))}  minus twins {say(added(verdicts))}")
    print(f"  {title:10} change  {say(change)}, p = {change.p:.2f}, over {change.clusters} scenes")


def say(number: Rate | Difference) -> str:
    """A value with its interval; voids stand beside it, never in it."""
    if number.value is None:
        return "nothing judged"
    void = f", {number.void} void" if isinstance(number, Rate) and number.void else ""
    return f"{number.value:+.2f} [{number.low:+.2f}, {number.high:+.2f}]{void}"


if __name__ == "__main__":
    main()
