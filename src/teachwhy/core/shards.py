"""Files of rows cut into pieces that can be read apart from one another, at most a piece of one in memory."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from teachwhy.core.errors import ConfigError

ROWS = "rows.jsonl"
"""The file of rows in a folder that teachwhy filled."""

_SHARD_BYTES = 1 << 25
_TABLE_ROWS = 1024
_ENDINGS = (".jsonl", ".jsonl.gz", ".parquet")


class UnreadableRowError(Exception):
    """A row that is in none of the forms in which rows are known."""


class Shard(NamedTuple):
    """A piece of a file."""

    file: Path
    start: int
    """Its first byte; of Parquet its row group; of a gzipped file 0, since it is one piece."""
    end: int
    first: int
    """The number of its first line or row in the file, from 1."""
    rows: int
    """Its lines or rows, empty ones among them."""
    size: int
    """About how many bytes of text it holds."""


def row_files(path: Path) -> list[Path]:
    """The files of rows at a path: the file; in a folder ``rows.jsonl``, else all JSON lines, else all Parquet."""
    if path.is_file() and path.name.endswith(_ENDINGS):
        return [path]
    if path.is_dir():
        for patterns in ((ROWS,), ("*.jsonl", "*.jsonl.gz"), ("*.parquet",)):
            files = sorted(file for pattern in patterns for file in path.glob(pattern))
            if files:
                return files
    raise ConfigError(f"no rows at {path}; give a .jsonl or .parquet file, or a folder that holds some")


def find_shards(path: Path, size: int = _SHARD_BYTES) -> list[Shard]:
    """The files of rows at a path, cut up. Raises ConfigError where there are none."""
    shards: list[Shard] = []
    for file in row_files(path):
        shards += _cut_table(file) if file.suffix == ".parquet" else _cut_lines(file, size)
    return shards


def read_raw(shard: Shard, columns: Collection[str]) -> Iterator[tuple[int, bytes | Mapping[str, Any]]]:
    """(number in the file, line or row) of a piece, empty lines left out; of Parquet those ``columns`` that are there.

    Raises ConfigError.
    """
    return _read_table(shard, columns) if shard.file.suffix == ".parquet" else _read_lines(shard)


def parse(given: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    """A line as the row that it holds. Raises UnreadableRowError."""
    if isinstance(given, Mapping):
        return given
    try:
        row = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise UnreadableRowError(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise UnreadableRowError("a row is an object with 'messages', 'prompt' or 'text'")
    return cast("Mapping[str, Any]", row)


def opened(value: object) -> object:
    """What a JSON list or object in text stands for, as columns of Parquet often hold them; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def text_of(content: object) -> str:
    """A content as text: a string, nothing, or a list of parts of which some are text. Raises UnreadableRowError."""
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(_part(part) for part in cast("list[object]", content))
    raise UnreadableRowError(f"content is a text or a list of parts, not {type(content).__name__}")


def _part(part: object) -> str:
    """The text of a part of a content; a part that is a picture has none."""
    parsed = opened(part)
    if isinstance(parsed, dict):
        text = cast("dict[str, object]", parsed).get("text")
        return text if isinstance(text, str) else ""
    if isinstance(part, str):
        return part
    raise UnreadableRowError(f"a part of a content is a text or an object, not {type(part).__name__}")


@contextmanager
def open_lines(file: Path) -> Generator[IO[bytes]]:
    """A file of lines, unpacked where it is gzipped. Raises ConfigError where that cannot be done."""
    if file.suffix != ".gz":
        with file.open("rb") as lines:
            yield lines
        return
    try:
        with gzip.open(file) as lines:
            yield cast("IO[bytes]", lines)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigError(f"{file}: cannot be unpacked: {error}; pack it anew") from None


def _cut_lines(file: Path, size: int) -> Iterator[Shard]:
    """Cut at ends of lines, counting them; what is gzipped stays whole, since it can only be read from its start."""
    with open_lines(file) as lines:
        start, first = 0, 1
        while block := lines.read(size):
            block += lines.readline()
            rows = block.count(b"\n") + (not block.endswith(b"\n"))
            if file.suffix != ".gz":
                yield Shard(file, start, start + len(block), first, rows, len(block))
            start += len(block)
            first += rows
    if file.suffix == ".gz" and start:
        yield Shard(file, 0, start, 1, first - 1, start)


def _read_lines(shard: Shard) -> Iterator[tuple[int, bytes]]:
    with open_lines(shard.file) as lines:
        lines.seek(shard.start)
        left = shard.end - shard.start
        for number, line in enumerate(lines, shard.first):
            if left <= 0:
                return
            left -= len(line)
            if not line.isspace():
                yield number, line


def _cut_table(file: Path) -> Iterator[Shard]:
    with _as_table(file) as table:
        groups = [table.metadata.row_group(group) for group in range(table.metadata.num_row_groups)]
        sizes = [(group.total_byte_size, group.num_rows) for group in groups]
    first = 1
    for group, (size, rows) in enumerate(sizes):
        yield Shard(file, group, group + 1, first, rows, size)
        first += rows


def _read_table(shard: Shard, wanted: Collection[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with _as_table(shard.file) as table:
        columns = [name for name in table.schema_arrow.names if name in wanted]
        batches = table.iter_batches(_TABLE_ROWS, row_groups=[shard.start], columns=columns)
        yield from enumerate((row for batch in batches for row in batch.to_pylist()), shard.first)


@contextmanager
def _as_table(file: Path) -> Generator[Any]:
    try:
        import pyarrow as pa
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ConfigError(f"{file}: Parquet needs pyarrow, which is not installed: pip install pyarrow") from None
    broken: type[Exception] = cast("Any", pa).ArrowException
    try:
        with ParquetFile(file) as table:
            yield table
    except (broken, OSError) as error:
        raise ConfigError(f"{file}: cannot be read as Parquet: {error}") from None
