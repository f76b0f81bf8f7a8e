"""The measured scenes: loaded, checked for their canary, chosen by family and side."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import CANARY
from teachwhy.core.records import Scenario
from teachwhy.worlds.scenes import FAMILIES, LOCKED, load_scenes

SCENES = Path(__file__).parent / "scenes"


def load_suite(
    families: Collection[str] = (), folder: Path = SCENES, *, unlock: bool = False
) -> list[tuple[Scenario, Scenario]]:
    """Every measured (scene, benign twin), of all families or of those named; the locked ones only if unlocked.

    Raises ConfigError for an unknown family, a locked one without ``unlock``, a scene without twin or chat.
    """
    for family in families:
        if family not in FAMILIES:
            raise ConfigError(f"unknown family {family!r}; {guess(family, FAMILIES)}")
        if family in LOCKED and not unlock:
            raise ConfigError(
                f"{family!r} is locked, so that nobody tunes to it; --unlock measures it and records that"
            )
    suite: list[tuple[Scenario, Scenario]] = []
    for scene, twin in load_scenes(folder):
        if twin is None or scene.chat is None:
            raise ConfigError(f"{scene.id}: a measured scene needs its benign twin and its chat twin")
        wanted = scene.family in families if families else unlock or scene.split != "locked"
        if wanted:
            suite.append((scene, twin))
    return suite


def check_canaries(folder: Path = SCENES) -> None:
    """Refuse a measured file that does not carry the canary."""
    for path in sorted(folder.glob("*/*.md")):
        if CANARY not in path.read_text(encoding="utf-8"):
            raise ConfigError(f"{path.parent.name}/{path.name} lacks the canary; add the line '# {CANARY}' to its top")


def measured_text(folder: Path = SCENES) -> dict[str, str]:
    """File name to full text, for the guard that keeps training data apart."""
    return {f"{path.parent.name}/{path.name}": path.read_text("utf-8") for path in sorted(folder.glob("*/*.md"))}
