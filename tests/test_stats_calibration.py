"""Intervals hold the truth and tests their level, in a quick run of ``benchmarks/calibration.py``.

The bars allow for three Monte Carlo standard errors, so they catch a method that is wrong, not one that is half a point
off; the thorough run does that.
"""

from __future__ import annotations

import importlib.util
import math
import sys
from functools import partial
from pathlib import Path
from typing import Any

import pytest


def load() -> Any:
    path = Path(__file__).parents[1] / "benchmarks" / "calibration.py"
    spec = importlib.util.spec_from_file_location("calibration", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["calibration"] = module
    spec.loader.exec_module(module)
    return module


CALIBRATION = load()
World, Row = CALIBRATION.World, CALIBRATION.Row


def found(one: Any, rounds: int, **arguments: Any) -> Any:
    return CALIBRATION.tally(Row("", "", partial(one, **arguments)), rounds)


def at_least(rounds: int, share: float = 0.95) -> float:
    return share - 3 * math.sqrt(share * (1 - share) / rounds)


def at_most(rounds: int, share: float) -> float:
    return share + 3 * math.sqrt(share * (1 - share) / rounds)


@pytest.mark.parametrize("world", [World(0.02, 7), World(0.2, 20), World(0.5, 60, samples=1)], ids=str)
def test_rates_cover(world: Any) -> None:
    assert found(CALIBRATION.one_rate, 300, world=world).coverage >= at_least(300)


@pytest.mark.parametrize("seeds", [1, 2, 3])
@pytest.mark.parametrize("world", [World(0.02, 20, seed_sd=0.4), World(0.5, 20, seed_sd=0.4)], ids=str)
def test_rates_over_seeds_cover(world: Any, seeds: int) -> None:
    assert found(CALIBRATION.one_bootstrap_rate, 100, world=world._replace(seeds=seeds)).coverage >= at_least(100)


@pytest.mark.parametrize("seeds", [1, 3])
def test_differences_over_seeds_cover_and_find(seeds: int) -> None:
    world = World(0.5, 20, seeds, seed_sd=0.2)
    one = found(CALIBRATION.one_bootstrap_difference, 100, world=world, second=0.2)
    assert one.coverage >= at_least(100)
    assert one.power > 0.6


def test_plain_resampling_of_every_level_does_not_cover() -> None:
    world = World(0.2, 20, 3, seed_sd=0.6)
    assert found(CALIBRATION.one_drawn, 100, world=world, crossed=False).coverage < 0.95


@pytest.mark.parametrize(("value", "second"), [(0.1, 0.02), (0.5, 0.2)])
def test_paired_differences_cover_and_hold_their_level(value: float, second: float) -> None:
    one = found(CALIBRATION.one_pair, 100, world=World(value, 12), second=second)
    assert one.coverage >= at_least(100)
    assert one.level <= at_most(100, 0.05)


def test_unpaired_differences_cover_and_hold_their_level() -> None:
    one = found(CALIBRATION.one_unpaired, 25, world=World(0.4, 12), second=0.1)
    assert one.coverage >= at_least(25)
    assert one.level <= at_most(25, 0.05)


def test_equivalence_holds_its_level_and_is_found() -> None:
    one = found(CALIBRATION.one_equivalence, 25, world=World(0.5, 60, samples=10), margin=0.1)
    assert one.level <= at_most(25, 0.05)
    assert one.power >= 0.5


def test_efficiency_ratios_cover() -> None:
    lines = CALIBRATION.LINES["3 times as good"]
    assert found(CALIBRATION.one_efficiency, 60, world=World(0.5, 20), lines=lines, over="scenes").coverage >= at_least(
        60
    )


@pytest.mark.parametrize("judges", [2, 3])
def test_agreement_covers(judges: int) -> None:
    panel = CALIBRATION.Panel(0.2, 0.9, 15, judges=judges)
    assert found(CALIBRATION.one_agreement, 80, panel=panel).coverage >= at_least(80)


def test_corrected_rates_cover() -> None:
    arguments = {"sensitivity": 0.9, "specificity": 0.85, "gold": 50}
    assert found(CALIBRATION.one_corrected, 100, world=World(0.2, 20), **arguments).coverage >= at_least(100)
