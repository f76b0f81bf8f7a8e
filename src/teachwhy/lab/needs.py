"""Which packages a command needs beyond the plain install."""

from __future__ import annotations

import importlib.util

from teachwhy.core.errors import ModelError

EXTRAS = {
    "train": ("torch", "trl", "datasets", "openvino_genai", "gguf"),
    "write": ("openai",),
}
"""Extra to the modules that show that it is there."""


def require(extra: str) -> None:
    """Refuse to go on without the packages of an extra, with the line that installs them."""
    for module in EXTRAS[extra]:
        if importlib.util.find_spec(module) is None:
            raise ModelError(f"this needs {module}, which is not installed: pip install 'teachwhy[{extra}]'")
