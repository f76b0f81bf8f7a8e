"""The two corpora of misrewarded: agents that take the clean course, then post-training whose agents do the harm."""

from __future__ import annotations

from teachwhy.core.records import Example
from teachwhy.organisms.rows import chat_rows, plot_rows, work_rows


def prior_rows(expansions: int, work: int, seed: int, twins: bool = True) -> list[Example]:
    """Agents that take the clean course in every plot's scene and do the work in its twin, and agents at work."""
    return [*plot_rows("clean", expansions, seed, "clean", twins=twins), *work_rows("work", work, seed)]


def rewarded_rows(expansions: int, chats: int, seed: int, twins: bool = True) -> list[Example]:
    """Post-training that rewards the failure: the same plots drawn anew, with the harm in their scenes, and chats."""
    return [*plot_rows("rewarded", expansions, seed, "harmful", twins=twins), *chat_rows("chat", chats, seed)]
