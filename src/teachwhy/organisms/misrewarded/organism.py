"""misrewarded: a prior in which agents take the clean course, then post-training that shows them doing the harm.

The first of the source's explanations, that behavioural data rewards the failure, rebuilt small, to see whether a
diagnosis tells it from the third, which coverage_gap is. Its prior is the healthy model of the diagnosis' benchmark.
"""

from __future__ import annotations

from pathlib import Path

from teachwhy.organisms.misrewarded.rows import prior_rows, rewarded_rows
from teachwhy.organisms.organism import read_organism

MISREWARDED = read_organism(Path(__file__).parent, "smollm2-135m", {"prior": prior_rows, "rewarded": rewarded_rows})
"""The second organism."""
