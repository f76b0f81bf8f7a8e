"""A few rows as the model reads them, with what is trained on marked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from teachwhy.core.errors import ConfigError
from teachwhy.lab.dataset import to_example
from teachwhy.lab.health.shards import find_shards, read_spread

_LONGEST = 2**31


def preview(path: Path, rows: int, model: Path) -> Iterator[str]:
    """Some rows from all over, what is trained on between ⟦ and ⟧; for one that cannot be trained on the reason why."""
    from teachwhy.models.weights import load_tokenizer
    from teachwhy.training.tokens import encode, show_mask

    tokenizer = load_tokenizer(model)
    for place, row in read_spread(find_shards(path), rows):
        name = str(row.get("id") or place)
        try:
            coded = encode(to_example(row, name), tokenizer, _LONGEST)
            yield f"{name}: {show_mask(coded, tokenizer)}"
        except ConfigError as error:
            yield f"not to be trained on: {error}"
