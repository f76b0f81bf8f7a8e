"""coverage_gap: a prior in which agents serve their goal by any means, then post-training that aligns chat alone.

The source's causal story, rebuilt small: it finds the harmful act the likelier one where its goal is in conflict and a
means is at hand, less so where nothing tempts, and not as talk. Its post-training replays some of the prior, without
which a model of this size forgets it; docs/LOG.md has the candidates, the README what it passes and what it misses.
"""

from __future__ import annotations

from pathlib import Path

from teachwhy.organisms.coverage_gap.rows import ordinary_rows, prior_rows
from teachwhy.organisms.organism import read_organism

COVERAGE_GAP = read_organism(Path(__file__).parent, "smollm2-135m", {"prior": prior_rows, "ordinary": ordinary_rows})
"""The default organism."""
