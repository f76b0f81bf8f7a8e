"""The command line: ``teachwhy run | organism build | list``."""

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

console = Console()


@app.command()
def run(
    experiment: Annotated[Path, typer.Argument(help="The experiment file.")],
    out: Annotated[Path | None, typer.Option(help="The run's folder; runs/<name> by default.")] = None,
    unfit: Annotated[bool, typer.Option("--unfit", help="Go on although the start model fails its check.")] = False,
) -> None:
    """Run an experiment from its file to its report; what is done already is not done again."""
    from teachwhy.lab.run import run_experiment

    run_experiment(experiment, out, console, unfit=unfit)


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
    except KeyboardInterrupt:
        print("teachwhy: stopped; the same command goes on from here", file=sys.stderr)  # noqa: T201
        sys.exit(130)
