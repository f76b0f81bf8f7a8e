"""A run folder: one stage a folder, named by what it is and the hash of all it depends on; manifest last."""

from __future__ import annotations

import fcntl
import hashlib
import json
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import Field, ValidationError

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import VERSION, Record

MANIFEST = "manifest.json"

_R = TypeVar("_R", bound=Record)


class Manifest(Record):
    """What a finished stage holds."""

    stage: str
    key: str
    inputs: dict[str, Any]
    files: dict[str, int]
    """Relative path to size in bytes."""
    notes: dict[str, Any] = Field(default_factory=dict)


class Stage(Record):
    """A stage that is done: its folder and its key."""

    name: str
    key: str
    folder: Path


class Store:
    """The folder of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def stage(
        self, name: str, inputs: Mapping[str, Any], work: Callable[[Path], None], *, resumable: bool = False
    ) -> Stage:
        """Do a stage unless it is done already.

        ``inputs`` (JSON values) decide its key; ``work`` fills a scratch folder, which becomes the stage's in one
        rename once everything, the manifest last, is written. The scratch folder is empty, or, for ``resumable`` work,
        as an interrupted try left it. Raises ConfigError for a damaged manifest.
        """
        key = content_key({"stage": name, "version": VERSION, **inputs})
        folder = self.root / "stages" / f"{name}-{key}"
        if self.is_done(name, inputs):
            return Stage(name=name, key=key, folder=folder)
        scratch = folder.with_name(f".{folder.name}.part")
        if not resumable:
            shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, exist_ok=True)
        work(scratch)
        (scratch / MANIFEST).unlink(missing_ok=True)
        files = [path for path in sorted(scratch.rglob("*")) if path.is_file()]
        sizes = {str(path.relative_to(scratch)): path.stat().st_size for path in files}
        manifest = Manifest(stage=name, key=key, inputs=dict(inputs), files=sizes)
        write_atomic(scratch / MANIFEST, manifest.model_dump_json(indent=2) + "\n")
        scratch.replace(folder)
        return Stage(name=name, key=key, folder=folder)

    def is_done(self, name: str, inputs: Mapping[str, Any]) -> bool:
        """Whether a stage with these inputs is finished; ConfigError when its manifest is damaged."""
        key = content_key({"stage": name, "version": VERSION, **inputs})
        folder = self.root / "stages" / f"{name}-{key}"
        if not folder.exists():
            return False
        _check(folder, key)
        return True

    @contextmanager
    def lock(self) -> Generator[None]:
        """Hold the run folder; a second run of it is refused at once, and so is one that cannot be written to."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            file = (self.root / ".lock").open("w")
        except OSError as error:
            raise ConfigError(f"cannot write to {self.root}: {error.strerror}; give another --out") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConfigError(f"{self.root} is in use by another run; wait for it or give another --out") from None
            yield


def _check(folder: Path, key: str) -> None:
    path = folder / MANIFEST
    mend = f"remove {folder} and run again: this stage alone is done anew"
    try:
        manifest = Manifest.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise ConfigError(f"damaged manifest {path}; {mend}") from None
    if manifest.key != key:
        raise ConfigError(f"manifest {path} belongs to another stage ({manifest.key}); {mend}")
    for name, size in manifest.files.items():
        file = folder / name
        if not file.is_file() or file.stat().st_size != size:
            raise ConfigError(f"{file} is missing or not as it was written; {mend}")


def content_key(value: object) -> str:
    """Twelve hex digits that stand for a JSON value."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def folder_key(folder: Path, pattern: str = "**/*") -> str:
    """Twelve hex digits that stand for the names and contents of the files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob(pattern)):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            with path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:12]


def write_atomic(path: Path, text: str) -> None:
    """Write a text file so that it is there whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.part")
    scratch.write_text(text, encoding="utf-8")
    scratch.replace(path)


def write_lines(path: Path, records: Sequence[Record]) -> None:
    """Write records, one JSON line each, whole or not at all."""
    write_atomic(path, "".join(record.to_line() + "\n" for record in records))


def read_lines(path: Path, kind: type[_R]) -> list[_R]:
    """Read what ``write_lines`` wrote. Raises ConfigError naming the line that is not such a record."""
    records: list[_R] = []
    # split at newlines alone: splitlines would also cut at separators that stand inside a model's text
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    for number, line in enumerate(lines if lines != [""] else [], 1):
        try:
            records.append(kind.from_line(line))
        except ValidationError as error:
            raise ConfigError(f"{path}:{number}: not a {kind.__name__}: {error.errors()[0]['msg']}") from None
    return records
