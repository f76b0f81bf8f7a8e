"""Files of rows cut into pieces that can be read apart from one another, at most a piece of one in memory."""

from __future__ import annotations

import json
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from teachwhy.core.errors import ConfigError
from teachwhy.lab.dataset import row_files
from teachwhy.lab.health.rows import Row, UnreadableRowError, read_row

_SHARD_BYTES = 1 << 25
_TABLE_ROWS = 1024
_COLUMNS = (
    *("id", "text", "messages", "prompt", "completion", "tools"),
    *("family", "intervention", "clauses", "tokens"),
)


class Shard(NamedTuple):
    """A piece of a file."""

    file: Path
    start: int
    """Its first byte; of Parquet its row group."""
    end: int
    first: int
    """The number of its first line or row in the file, from 1."""
    rows: int
    """Its lines or rows, empty ones among them."""
    size: int
    """About how many bytes of text it holds."""


class Unread(NamedTuple):
    """A row that cannot be read, and why."""

    name: str
    why: str


def find_shards(path: Path, size: int = _SHARD_BYTES) -> list[Shard]:
    """The files of rows at a path, cut up. Raises ConfigError where there are none."""
    shards: list[Shard] = []
    for file in row_files(path):
        shards += _cut_table(file) if file.suffix == ".parquet" else _cut_lines(file, size)
    return shards


def read_shard(shard: Shard, wanted: Collection[int] | None = None) -> Iterator[tuple[int, Row | Unread]]:
    """(number in the file, row) of a piece, or of the numbers ``wanted`` in it. Raises ConfigError."""
    for number, raw in _read_raw(shard):
        if wanted is None or number in wanted:
            place = f"{shard.file.name}:{number}"
            try:
                yield number, read_row(_parse(raw), place)
            except UnreadableRowError as error:
                yield number, Unread(place, str(error))


def read_spread(shards: Sequence[Shard], count: int) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """(place, row as it was given) of a few rows from all over, those that are no rows left out. Raises ConfigError."""
    ends = np.cumsum([shard.rows for shard in shards])
    for target in sorted({at * int(ends[-1]) // count for at in range(count)}):
        shard = shards[int(np.searchsorted(ends, target, side="right"))]
        number = target - (int(ends[shards.index(shard)]) - shard.rows) + shard.first
        for at, raw in _read_raw(shard):
            if at >= number:
                with suppress(UnreadableRowError):
                    yield f"{shard.file.name}:{at}", _parse(raw)
                break


def _cut_lines(file: Path, size: int) -> Iterator[Shard]:
    """Cut at ends of lines, counting them."""
    with file.open("rb") as lines:
        start, first = 0, 1
        while block := lines.read(size):
            block += lines.readline()
            rows = block.count(b"\n") + (not block.endswith(b"\n"))
            yield Shard(file, start, start + len(block), first, rows, len(block))
            start += len(block)
            first += rows


def _read_raw(shard: Shard) -> Iterator[tuple[int, bytes | Mapping[str, Any]]]:
    return _read_table(shard) if shard.file.suffix == ".parquet" else _read_lines(shard)


def _read_lines(shard: Shard) -> Iterator[tuple[int, bytes]]:
    with shard.file.open("rb") as lines:
        lines.seek(shard.start)
        left = shard.end - shard.start
        for number, line in enumerate(lines, shard.first):
            if left <= 0:
                return
            left -= len(line)
            if not line.isspace():
                yield number, line


def _parse(given: bytes | Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(given, Mapping):
        return given
    try:
        row = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise UnreadableRowError(f"not JSON: {error}") from None
    if not isinstance(row, dict):
        raise UnreadableRowError("a row is an object with 'messages', 'prompt' or 'text'")
    return cast("Mapping[str, Any]", row)


def _cut_table(file: Path) -> Iterator[Shard]:
    with _as_table(file) as table:
        groups = [table.metadata.row_group(group) for group in range(table.metadata.num_row_groups)]
        sizes = [(group.total_byte_size, group.num_rows) for group in groups]
    first = 1
    for group, (size, rows) in enumerate(sizes):
        yield Shard(file, group, group + 1, first, rows, size)
        first += rows


def _read_table(shard: Shard) -> Iterator[tuple[int, Mapping[str, Any]]]:
    with _as_table(shard.file) as table:
        columns = [name for name in table.schema_arrow.names if name in _COLUMNS]
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


def slices(
    rows: Iterator[tuple[int, Row | Unread]], count: int, letters: int
) -> Iterator[list[tuple[int, Row | Unread]]]:
    """Rows in runs of at most ``count``, ended sooner by ``letters`` of text, so that long texts do not fill memory."""
    run: list[tuple[int, Row | Unread]] = []
    held = 0
    for number, row in rows:
        run.append((number, row))
        held += sum(len(text) for _, text in row.texts) if isinstance(row, Row) else 0
        if len(run) == count or held >= letters:
            yield run
            run, held = [], 0
    if run:
        yield run
