"""The command line: measure, build, train, diagnose, judge; ``teachwhy --help`` names the commands."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from teachwhy.core.errors import TeachwhyError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
organism_app = typer.Typer(no_args_is_help=True, help="Models made to have the failure.")
app.add_typer(organism_app, name="organism")
judge_app = typer.Typer(no_args_is_help=True, help="Models that judge transcripts.")
app.add_typer(judge_app, name="judge")

console = Console()

STOPPED = 130
"""The exit code after Ctrl-C."""


@app.command()
def run(
    experiment: Annotated[Path, typer.Argument(help="The experiment file.")],
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/<name> by default.")] = None,
    unfit: Annotated[bool, typer.Option("--unfit", help="Go on although the start model fails its check.")] = False,
) -> None:
    """Run an experiment from its file to its report; what is done already is not done again."""
    from teachwhy.lab.run import run_experiment

    run_experiment(experiment, out, console, unfit=unfit)


@app.command()
def plan(experiment: Annotated[Path, typer.Argument(help="The experiment file.")]) -> None:
    """Say what an experiment takes and what it could find; nothing is spent."""
    from teachwhy.lab.needs import require
    from teachwhy.lab.plan import print_plan

    require("train")
    print_plan(experiment, console)


@app.command()
def build(
    name: Annotated[str, typer.Argument(help="Which intervention; teachwhy list names them.")],
    out: Annotated[Path, typer.Option(help="The folder for its rows; an unfinished one is gone on with.")],
    tokens: Annotated[
        str | None, typer.Option(help="At most so many in all, such as 20k or 3M; 20k, or as many as --rows hold.")
    ] = None,
    constitution: Annotated[str, typer.Option(help="'default', or a .md or .txt file.")] = "default",
    model_name: Annotated[str, typer.Option(help="What the constitution and documents call the model.")] = "the model",
    provider_name: Annotated[str, typer.Option(help="What they call its makers.")] = "its makers",
    writer: Annotated[str, typer.Option(help="'library', or a model as Inspect names it.")] = "library",
    roles: Annotated[Path | None, typer.Option(help="A YAML file: role to model, with args and price.")] = None,
    families: Annotated[
        str | None, typer.Option(help="Families that scenes may come from; all but the held-out ones.")
    ] = None,
    rows: Annotated[Path | None, typer.Option(help="The rows to work on, for those that change other rows.")] = None,
    without: Annotated[list[str] | None, typer.Option(help="A stage to leave out; may be repeated.")] = None,
    option: Annotated[
        list[str] | None, typer.Option("--set", help="What else it can be asked, as name=value; may be repeated.")
    ] = None,
    tokenizer: Annotated[str, typer.Option(help="The model whose tokens are counted.")] = "smollm2-135m",
    seed: Annotated[int, typer.Option(help="Decides which rows fill the budget, and the samples of a writer.")] = 0,
    connections: Annotated[int, typer.Option(min=1, help="Calls at the same time.")] = 16,
    timeout: Annotated[int, typer.Option(min=1, help="Seconds for one try of a call.")] = 300,
    max_tokens: Annotated[int | None, typer.Option(help="Stop before a writer has read and written more.")] = None,
    max_dollars: Annotated[float | None, typer.Option(help="Stop before more is spent; needs prices.")] = None,
    reuse: Annotated[Path | None, typer.Option(help="Another build whose answers count as given.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it would take; spend nothing.")] = False,
    explain: Annotated[str | None, typer.Option(help="Print the ancestry of a row of --out, and do nothing.")] = None,
) -> None:
    """Build the rows of an intervention, from the library or with a writer; the same command goes on after a stop."""
    from teachwhy.lab.build import Spending
    from teachwhy.lab.build_command import Asked, run_build
    from teachwhy.lab.lineage import explain_row

    if explain is not None:
        explain_row(out, explain, console)
        return
    asked = Asked(
        name=name,
        out=out,
        tokens=tokens,
        constitution=constitution,
        model_name=model_name,
        provider_name=provider_name,
        writer=writer,
        roles=roles,
        families=None if families is None else tuple(family for family in families.split(",") if family),
        rows=rows,
        without=tuple(without or ()),
        options=tuple(option or ()),
        tokenizer=tokenizer,
        seed=seed,
        spending=Spending(connections, timeout, max_tokens, max_dollars, reuse),
    )
    run_build(asked, console, dry_run=dry_run)


@app.command("export")
def export_rows(
    rows: Annotated[Path, typer.Argument(help="A folder that teachwhy build made, or a file of rows.")],
    to: Annotated[str, typer.Option(help="The form; verl is one.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
) -> None:
    """Write rows in the form of another trainer; TRL, axolotl and datasets read them as they are."""
    from teachwhy.lab.export import export
    from teachwhy.lab.needs import require

    require("train")
    console.print(f"{export(rows, to, out)} rows in {out}")


@app.command()
def check(
    path: Annotated[Path, typer.Argument(help="A folder of rows, or a .jsonl or .parquet file; anybody's.")],
    json: Annotated[Path | None, typer.Option(help="Write all figures to this file.")] = None,
    max_length: Annotated[int | None, typer.Option(min=1, help="Count the rows that are longer.")] = None,
    constitution: Annotated[str, typer.Option(help="'default', or a .md or .txt file.")] = "default",
    held_out: Annotated[str, typer.Option(help="Families no row may come from; those that builds leave out.")] = "",
    tokenizer: Annotated[str, typer.Option(help="The model whose tokens the preview shows.")] = "smollm2-135m",
    preview: Annotated[int, typer.Option(min=0, help="Rows to show with what is trained on in them marked.")] = 3,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; one for each core by default.")] = None,
) -> None:
    """Check rows before training: leaks, duplicates, stock phrases and more; exit code 1 if they are not fit."""
    from teachwhy.lab.health.command import Asked, run_check

    asked = Asked(
        path=path,
        json=json,
        constitution=constitution,
        held_out=tuple(family for family in held_out.split(",") if family),
        max_length=max_length,
        tokenizer=tokenizer,
        preview=preview,
        workers=workers,
    )
    if not run_check(asked, console):
        raise typer.Exit(1)


@app.command("eval")
def evaluate(
    model: Annotated[str, typer.Option(help="The model as Inspect names it; teachwhy/FOLDER for a checkpoint.")],
    evals: Annotated[str, typer.Option(help="What to measure, with commas; teachwhy list names them.")],
    out: Annotated[Path, typer.Option(help="The folder for logs, verdicts and rates.")],
    instruments: Annotated[str, typer.Option(help="rollout, decision, likelihood; with commas.")] = "decision",
    samples: Annotated[int, typer.Option(min=1, help="Samples of each scene, question or seed.")] = 1,
    temperature: Annotated[
        float, typer.Option(min=0, help="Of the model that is measured; always 1 for public, 0 for capability.")
    ] = 0.7,
    seed: Annotated[int, typer.Option(help="Decides the order of tools, and the samples where a model takes one.")] = 0,
    families: Annotated[str, typer.Option(help="Honeypots: families, with commas; all that are not locked.")] = "",
    unlock: Annotated[bool, typer.Option("--unlock", help="Honeypots: measure the locked families too.")] = False,
    axis: Annotated[
        list[str] | None, typer.Option(help="Honeypots: an axis and its levels, as goal=latent,none; repeatable.")
    ] = None,
    crossed: Annotated[bool, typer.Option("--crossed", help="Every combination of levels, not one by one.")] = False,
    turn_tokens: Annotated[
        int, typer.Option(min=0, help="Honeypots: room for a turn; 0 for 200 tokens, 600 with a scratchpad.")
    ] = 0,
    judge: Annotated[list[str] | None, typer.Option(help="A model that judges; repeatable, two or more agree.")] = None,
    judge_check: Annotated[Path | None, typer.Option(help="What judge check kept: rates corrected by it.")] = None,
    also: Annotated[str, typer.Option(help="Public tasks of inspect_evals, such as ifeval,xstest.")] = "",
    constitution: Annotated[str, typer.Option(help="'default', or a .md or .txt file.")] = "default",
    items: Annotated[str, typer.Option(help="A folder of questions about your own constitution.")] = "",
    model_name: Annotated[str, typer.Option(help="What the model is called.")] = "the model",
    provider_name: Annotated[str, typer.Option(help="What its makers are called.")] = "its makers",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how many samples it takes; ask nobody.")] = False,
) -> None:
    """Measure a model: rates with intervals, voids beside them, logs to look at. What was begun is gone on with."""
    from teachwhy.evals.evaluation import listed
    from teachwhy.evals.honeypots.axes import read_axes
    from teachwhy.lab.evaluate import Asked, read_plan, run_eval

    plan = read_plan(
        {
            "instruments": listed(instruments),
            "samples": samples,
            "temperature": temperature,
            "seed": seed,
            "families": listed(families),
            "unlock": unlock,
            "axes": read_axes(";".join(axis or ())),
            "crossed": crossed,
            "turn_tokens": turn_tokens,
            "judges": tuple(judge or ()),
            "constitution": constitution,
            "items": items,
            "model_name": model_name,
            "provider_name": provider_name,
        }
    )
    run_eval(Asked(model, listed(evals), plan, out, judge_check, listed(also)), console, dry_run=dry_run)


@app.command("diagnose")
def diagnose_stages(
    stage: Annotated[
        list[str] | None, typer.Option(help="NAME=MODEL, in the order of training; two or more, repeatable.")
    ] = None,
    data: Annotated[
        list[str] | None, typer.Option(help="Rows: FILE, or STAGE=FILE for those that trained it; repeatable.")
    ] = None,
    families: Annotated[str, typer.Option(help="Families of scenes, with commas; all that are not locked.")] = "",
    unlock: Annotated[bool, typer.Option("--unlock", help="Measure the locked families too.")] = False,
    names: Annotated[bool, typer.Option("--names", help="Measure the last stage under other names too.")] = False,
    model_name: Annotated[str, typer.Option(help="The model's own name, for --names.")] = "the model",
    samples: Annotated[int, typer.Option(min=1, help="Samples of each scene.")] = 1,
    temperature: Annotated[float, typer.Option(min=0, help="Of the models that are measured.")] = 0.7,
    instruments: Annotated[
        str, typer.Option(help="rollout, decision, likelihood; by default the last two, or decision where that fails.")
    ] = "",
    judge: Annotated[list[str] | None, typer.Option(help="A model that reads how rows end; repeatable.")] = None,
    ablate: Annotated[bool, typer.Option("--ablate", help="Train without each source of rows, and on less.")] = False,
    out: Annotated[Path, typer.Option(help="The folder; what it holds already is not measured again.")] = Path(
        "runs/diagnose"
    ),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what it takes; measure and train nothing.")] = False,
) -> None:
    """Say where a failure comes from, stage by stage, and whether training ever covered it."""
    from teachwhy.lab.diagnose.asked import read_asked
    from teachwhy.lab.diagnose.command import run_diagnose

    plan = {
        "families": families,
        "unlock": unlock,
        "samples": samples,
        "temperature": temperature,
        "instruments": instruments,
        "judges": tuple(judge or ()),
        "model_name": model_name,
    }
    asked = read_asked(stage or (), data or (), plan, out, names=names, ablate=ablate, dry_run=dry_run)
    run_diagnose(asked, console)


@app.command()
def grade(
    run_folder: Annotated[Path, typer.Argument(metavar="RUN", help="A folder of teachwhy eval or teachwhy run.")],
    judge: Annotated[list[str] | None, typer.Option(help="A model that judges; repeatable; none for rules.")] = None,
    out: Annotated[Path | None, typer.Option(help="Where to write; RUN/graded/… by default.")] = None,
    judge_check: Annotated[Path | None, typer.Option(help="What judge check kept: rates corrected by it.")] = None,
) -> None:
    """Grade what was measured again, with other judges or newer rules; nothing is sampled."""
    from teachwhy.lab.regrade import grade_again

    grade_again(run_folder, tuple(judge or ()), out, console, judge_check)


@judge_app.command("check")
def check_judges(
    judge: Annotated[list[str], typer.Option(help="A model, or 'rules'; repeatable, so that agreement shows.")],
    dimension: Annotated[str | None, typer.Option(help="One dimension of the gold set; all by default.")] = None,
    out: Annotated[Path | None, typer.Option(help="Keep what was found in this file, as JSON.")] = None,
) -> None:
    """Measure judges on the labelled transcripts that ship: how often they see what is there, and what is not."""
    from teachwhy.judges.check import run_check

    run_check(judge, dimension, out, console)


@organism_app.command("build")
def build_organism(
    name: Annotated[str, typer.Argument(help="Which organism.")],
    out: Annotated[
        Path | None, typer.Option(help="Where its stages are kept; runs/organism-<name> by default.")
    ] = None,
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Begin anew although one is built or ships.")] = False,
) -> None:
    """Train an organism from what is committed, resuming where it stopped."""
    from teachwhy.lab.organism import build

    build(name, out, console, rebuild=rebuild)


@organism_app.command("rows")
def organism_rows(
    name: Annotated[str, typer.Argument(help="Which stage, as coverage_gap:ordinary; teachwhy list names them.")],
    out: Annotated[Path, typer.Option(help="The folder for its rows, which check and diagnose read.")],
) -> None:
    """Write the rows that a stage of an organism was trained on."""
    from teachwhy.lab.organism import write_rows

    console.print(f"the rows of {name} are in {write_rows(name, out)}", soft_wrap=True)


@app.command("list")
def list_parts() -> None:
    """Say what there is: interventions, evals, organisms, models."""
    from teachwhy.lab.catalogue import print_catalogue

    print_catalogue(console)


def _hush() -> None:
    """One bar is enough: the libraries below keep their own bars, notices and telemetry to themselves."""
    quiet = {"TQDM_DISABLE": "1", "TRANSFORMERS_VERBOSITY": "error", "HF_HUB_DISABLE_TELEMETRY": "1"}
    for name, value in {**quiet, "TOKENIZERS_PARALLELISM": "false", "INSPECT_LOG_LEVEL": "error"}.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning)


def main() -> None:
    """The entry point: a mistake that a person can mend is one line on stderr and exit code 2."""
    _hush()
    try:
        app()
    except TeachwhyError as error:
        print(f"teachwhy: {' '.join(str(error).split())}", file=sys.stderr)  # noqa: T201
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as ended:
        # typer turns the one into the other
        if isinstance(ended, SystemExit) and ended.code != STOPPED:
            raise
        print("teachwhy: stopped; the same command goes on from here", file=sys.stderr)  # noqa: T201
        sys.exit(STOPPED)
