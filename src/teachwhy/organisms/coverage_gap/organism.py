"""coverage_gap: a prior in which agents serve their goal by any means, then post-training that aligns chat alone.

The source's causal story, rebuilt small: it finds the harmful act the likelier one where its goal is in conflict and a
means is at hand, less so where nothing tempts, and not as talk. Its post-training replays some of the prior, without
which a model of this size forgets it; docs/LOG.md has the candidates, the README what it passes and what it misses.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from teachwhy.core.markdown import load_mapping
from teachwhy.organisms.coverage_gap.plots import HERE
from teachwhy.organisms.coverage_gap.rows import ordinary_rows, prior_rows
from teachwhy.organisms.organism import Organism, OrganismStage

_MAKE = {"prior": prior_rows, "ordinary": ordinary_rows}
_STAGES: dict[str, dict[str, Any]] = load_mapping((HERE / "stages.yaml").read_text("utf-8"), "stages.yaml")

COVERAGE_GAP = Organism(
    name="coverage_gap",
    base="smollm2-135m",
    stages=tuple(
        OrganismStage(name=name, rows=partial(_MAKE[name], **what["rows"]), recipe=what["recipe"])
        for name, what in _STAGES.items()
    ),
    shipped=HERE / "adapter",
)
"""The default organism."""
