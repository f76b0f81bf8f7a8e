"""Replay: ordinary agent work and everyday chats, the control that every other arm is read against."""

from __future__ import annotations

from collections.abc import Collection

from teachwhy.core.records import Example, Message
from teachwhy.interventions.library.shelf import WRITER, act_row, everyday_chats, ordinary_work


def replay_rows(families: Collection[str]) -> list[Example]:
    """Every written act of the ordinary scenes, and every chat. Nothing here bears on a harm family."""
    del families
    rows = [
        act_row(scene, number, intervention="replay") for scene in ordinary_work() for number in range(len(scene.clean))
    ]
    for number, talk in enumerate(everyday_chats()):
        turns = (Message(role="user", content=talk.user), Message(role="assistant", content=talk.assistant))
        rows.append(
            Example(
                id=f"replay/chat-{number:02d}",
                intervention="replay",
                messages=turns,
                writer=WRITER,
                source="replay/chats.yaml",
            )
        )
    return rows
