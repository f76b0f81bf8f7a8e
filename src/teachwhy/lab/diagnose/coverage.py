"""The scenes' own profile beside that of the rows: where they lie furthest apart, and which rows lie nearest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from teachwhy.core.records import Record, Verdict
from teachwhy.core.shards import row_files
from teachwhy.core.store import Store, folder_key, write_atomic
from teachwhy.diagnosis.coverage import Coverage, cover, profile
from teachwhy.diagnosis.gap import Gap, rank
from teachwhy.diagnosis.judged import Judged, judge_sample
from teachwhy.diagnosis.nearest import Near, nearest, situation_text
from teachwhy.diagnosis.stages import failing_scenes
from teachwhy.evals.honeypots.axes import Pair
from teachwhy.lab.diagnose.asked import Source
from teachwhy.lab.diagnose.reading import scene_row, workers_for

_JUDGED = "judged.json"
NEIGHBOURS = 3
"""Rows that are shown for each failing scene."""
FAILING = 10
"""Failing scenes that are shown, those with the most harm beyond their twins."""


class Neighbours(Record):
    """A failing scene and the rows nearest to it."""

    scene: str
    gap: float
    rows: tuple[Near, ...]


class Described(Record):
    """What the rows after the first stage look like beside the scenes."""

    scenes: Coverage
    twins: Coverage
    """Their benign twins, on which a conflict is found by mistake."""
    rows: Coverage
    gaps: tuple[Gap, ...]


def describe_rows(data: Sequence[Source], first: str, suite: Sequence[Pair]) -> Described | None:
    """The profile of the scenes and of the rows after the first stage, and the gaps between them; None without rows."""
    later = _later(data, first)
    if not later:
        return None
    scenes = profile((scene_row(scene) for scene, _ in suite), "scenes")
    twins = profile((scene_row(twin) for _, twin in suite), "twins")
    paths = [source.path for source in later]
    rows = cover(paths, workers=workers_for(paths))
    return Described(scenes=scenes, twins=twins, rows=rows, gaps=rank(rows, scenes))


def judge_rows(store: Store, data: Sequence[Source], first: str, judges: Sequence[str]) -> Judged | None:
    """What the first judge says of a sample of the rows after the first stage, beside the rules; kept in the store."""
    later = _later(data, first)
    if not later or not judges:
        return None
    files = [file for source in later for file in row_files(source.path)]
    inputs = {"model": judges[0], "rows": [folder_key(file.parent, file.name) for file in files]}

    def work(folder: Path) -> None:
        found = judge_sample([source.path for source in later], judges[0])
        write_atomic(folder / _JUDGED, found.model_dump_json() + "\n")

    stage = store.stage("judge-rows", inputs, work)
    return Judged.model_validate_json((stage.folder / _JUDGED).read_text(encoding="utf-8"))


def find_neighbours(
    data: Sequence[Source], first: str, suite: Sequence[Pair], verdicts: Sequence[Verdict], instrument: str
) -> tuple[Neighbours, ...]:
    """The rows nearest to the scenes that fail most, the scenes in the order of their gaps."""
    later = _later(data, first)
    failing = failing_scenes(verdicts, instrument)[:FAILING]
    if not later or not failing:
        return ()
    scenes = {scene.id: scene for scene, _ in suite}
    texts = {name: situation_text(scene_row(scenes[name])) for name, _ in failing}
    paths = [source.path for source in later]
    found = nearest(texts, paths, NEIGHBOURS, workers=workers_for(paths))
    return tuple(Neighbours(scene=name, gap=gap, rows=found[name]) for name, gap in failing)


def _later(data: Sequence[Source], first: str) -> list[Source]:
    return [source for source in data if source.stage != first]
