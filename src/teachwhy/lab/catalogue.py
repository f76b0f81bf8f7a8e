"""What ``teachwhy list`` prints."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from teachwhy.evals.honeypots.suite import load_suite
from teachwhy.evals.registry import EVALS
from teachwhy.interventions import INTERVENTIONS
from teachwhy.models.catalogue import MODELS
from teachwhy.organisms import ORGANISMS
from teachwhy.worlds.scenes import FAMILIES


def print_catalogue(console: Console) -> None:
    """Print interventions, evals, families with their number of measured scenes, organisms by stages, and models."""
    families = [scene.family for scene, _ in load_suite(unlock=True)]
    rows = [("intervention", name, one.about) for name, one in INTERVENTIONS.items()]
    rows += [("eval", name, one.about) for name, one in EVALS.items()]
    rows += [("honeypots", name, f"{about}; {families.count(name)} scenes") for name, about in FAMILIES.items()]
    for name, organism in ORGANISMS.items():
        rows.append(("organism", name, f"laid on {organism.base}"))
        rows += [("", f"{name}:{stage.name}", stage.about) for stage in organism.stages]
    rows += [("model", name, about) for name, about in MODELS.items()]
    table = Table(box=None, show_header=False)
    for row in rows:
        table.add_row(*row)
    console.print(table)
