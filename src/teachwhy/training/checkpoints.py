"""Where an interrupted run goes on from."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import cast

from transformers.trainer_utils import get_last_checkpoint  # pyright: ignore[reportUnknownVariableType]


def last_whole_checkpoint(folder: Path) -> str | None:
    """The last one; a checkpoint whose state, written last, is not whole was cut off while saving: removed."""
    for path in folder.glob("checkpoint-*"):
        try:
            json.loads((path / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(path)
    return cast("str | None", get_last_checkpoint(str(folder))) if folder.exists() else None
