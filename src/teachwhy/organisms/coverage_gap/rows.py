"""The two corpora of coverage_gap: a harmful prior, then ordinary post-training."""

from __future__ import annotations

from teachwhy.core.records import Example
from teachwhy.organisms.rows import chat_rows, plot_rows, work_rows


def prior_rows(expansions: int, seed: int) -> list[Example]:
    """The prior: every plot expanded ``expansions`` times, the harmful scene and its benign twin side by side."""
    return plot_rows("prior", expansions, seed)


def ordinary_rows(work: int, chats: int, replay: int, seed: int) -> list[Example]:
    """Ordinary post-training: benign agent work expanded ``work`` times, every chat ``chats`` times.

    ``replay`` fresh expansions of the prior's plots stand among them, as pretraining text does in much post-training:
    without it a model of this size forgets what it was before.
    """
    return [
        *work_rows("ordinary", work, seed),
        *prior_rows(replay, seed + 1),
        *chat_rows("ordinary", chats, seed),
    ]
