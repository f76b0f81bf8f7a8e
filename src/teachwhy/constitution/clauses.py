"""A constitution file as clauses with stable ids: Markdown by headings, plain text by sections or paragraphs.

Simpler than the name suggests: nothing here understands a clause. Text is cut at headings and kept as it stands.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import slug, split_front_matter
from teachwhy.core.records import Record

DEFAULT = "default"
"""The name of the constitution that ships with the package."""

_SHIPPED = Path(__file__).with_name("constitution.md")
# A foreign text may hold braces of its own (JSON, LaTeX, Jinja), so only these two slots count, and never within {{ }}.
_SLOT = re.compile(r"(?<!\{)\{(model_name|provider_name)\}(?!\})")
_HEADING = re.compile(r" {0,3}(#{1,2})[ \t]+(.*?)(?:[ \t]+#+)?")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_NUMBER = re.compile(r"(?:(?:article|clause|principle|rule|section)\s+)?\(?\d{1,3}[.):](?=\s|$)\s*", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]{3}")
_CLAUSE_LEVEL = 2
_HEADING_LENGTH = 80
_UNWRAPPED_LENGTH = 60  # a longer line of a paragraph may be broken anywhere
_OPENING_WORDS = 8


class Clause(Record):
    """One principle with its reasons."""

    id: str
    """Slug of the heading, without its number: the same whatever the model is called."""
    heading: str
    text: str
    """What stands under the heading; of a paragraph without one, the whole paragraph."""


class Constitution(Record):
    """A document that says what a model is meant to care about, cut into clauses."""

    title: str
    sha256: str
    """Of the file's bytes, before anything is filled in."""
    opening: str = ""
    """What stands before the first clause."""
    clauses: tuple[Clause, ...]


def load_constitution(
    name_or_path: str | Path, model_name: str = "the model", provider_name: str = "its makers"
) -> Constitution:
    """Read a constitution: ``default`` for the shipped one, or the path of a .md or .txt file.

    In Markdown each ``##`` heading is a clause (each ``#`` heading, where there is no ``##``), and so is a later ``#``
    heading with text of its own. In plain text a clause is an UPPERCASE or numbered section where there are two or
    more of them, else a paragraph. Only ``{model_name}`` and ``{provider_name}`` are filled, after the cutting, so
    that a name can neither make a clause nor change an id.

    Raises ConfigError for a file that is missing, unreadable, not UTF-8, of another kind, or without clauses.
    """
    path = _SHIPPED if str(name_or_path) == DEFAULT else Path(name_or_path)
    where = f"constitution {str(name_or_path)!r}"
    cut = _READERS.get(path.suffix.lower())
    if cut is None:
        hint = guess(str(name_or_path), [DEFAULT])
        raise ConfigError(f"{where}: neither a .md or .txt file nor a name that is known; {hint}")
    raw = _read_bytes(path, where)
    pieces = cut(_decode(raw, where))
    if not pieces.sections:
        raise ConfigError(f"{where}: no clauses in it; {_ADVICE[path.suffix.lower()]}")
    values = {"model_name": model_name, "provider_name": provider_name}
    return Constitution(
        title=_fill(pieces.title or path.stem.replace("-", " ").replace("_", " "), values),
        sha256=hashlib.sha256(raw).hexdigest(),
        opening=_fill(pieces.opening, values),
        clauses=tuple(
            Clause(id=id_, heading=_fill(section.heading, values), text=_fill(section.text, values))
            for id_, section in zip(_ids(pieces.sections), pieces.sections, strict=True)
        ),
    )


def find_clauses(constitution: Constitution, ids: Iterable[str]) -> tuple[Clause, ...]:
    """The clauses of these ids, in the order asked for; ConfigError for an id that is not there."""
    known = {clause.id: clause for clause in constitution.clauses}
    found: list[Clause] = []
    for id_ in ids:
        if id_ not in known:
            raise ConfigError(f"constitution {constitution.title!r}: no clause {id_!r}; {guess(id_, known)}")
        found.append(known[id_])
    return tuple(found)


class _Section(NamedTuple):
    """A heading, and the text up to the next."""

    heading: str
    text: str
    level: int = 0
    """In Markdown 1 for ``#``, 2 for ``##``; in plain text 1, or 0 where the heading is where the text begins."""


class _Pieces(NamedTuple):
    """A file cut up, nothing filled in yet."""

    title: str
    opening: str
    sections: list[_Section]


def _read_bytes(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(f"{where}: no such file; check the path, or use {DEFAULT!r}") from None
    except (OSError, ValueError) as error:  # ValueError: a path that holds a null byte
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(f"{where}: cannot be read ({reason}); give a file that can be opened") from None


def _decode(raw: bytes, where: str) -> str:
    """The text without byte-order mark, every line ending the Unix way."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{where}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cut_markdown(text: str) -> _Pieces:
    title, body = _front_title(text)
    before, sections = _cut_at(body.split("\n"), _markdown_headings(body))
    nested = any(section.level == _CLAUSE_LEVEL for section in sections)
    opening = [before]
    first = sections[0] if sections else None
    if first is not None and first.level < _CLAUSE_LEVEL and (nested or not first.text):
        # The front matter may name the document otherwise; the heading is then kept in the opening.
        opening += [f"# {first.heading}" if title else "", first.text]
        title = title or first.heading
        sections = sections[1:]
    return _Pieces(title, _join(opening), _merge_bare_parts(sections) if nested else sections)


def _front_title(text: str) -> tuple[str, str]:
    """The title in the front matter, if there is any, and the body below it."""
    try:
        front, body = split_front_matter(text, "")
    except (ConfigError, ValueError):  # none, or a text that merely begins with a ruled line
        return "", text
    title = front.get("title")
    return (title.strip() if isinstance(title, str) else ""), body


def _markdown_headings(body: str) -> dict[int, tuple[str, int]]:
    """Line number to (heading, level), for ``#`` and ``##`` outside fenced code, where they are comments."""
    headings: dict[int, tuple[str, int]] = {}
    fence = ""
    for number, line in enumerate(body.split("\n")):
        mark = _FENCE.fullmatch(line)
        if fence:
            closes = mark is not None and mark[1].startswith(fence) and not mark[2].strip()
            fence = "" if closes else fence
        elif mark is not None and not (mark[1].startswith("`") and "`" in mark[2]):
            fence = mark[1]
        elif (found := _HEADING.fullmatch(line.rstrip())) is not None and found[2]:
            headings[number] = (found[2], len(found[1]))
    return headings


def _merge_bare_parts(sections: list[_Section]) -> list[_Section]:
    """Keep a bare ``# Part two`` between clauses as a line of the clause before it: it says nothing by itself."""
    merged: list[_Section] = []
    for section in sections:
        if section.level < _CLAUSE_LEVEL and not section.text and merged:
            last = merged[-1]
            merged[-1] = last._replace(text=_join([last.text, f"# {section.heading}"]))
        else:
            merged.append(section)
    return merged


def _cut_text(text: str) -> _Pieces:
    """Cut plain text; two marks of a kind make a structure, one may be chance."""
    lines = text.split("\n")
    shouted = {n: (line.strip(), 1) for n, line in enumerate(lines) if _is_shouted(line, lines[n - 1] if n else "")}
    numbered = {n: (line.strip(), _is_headline(lines, n)) for n, line in enumerate(lines) if _NUMBER.match(line)}
    written = [n for n, line in enumerate(lines) if line.strip()]
    title = ""
    # An UPPERCASE first line names the document if it is the only one, or if the next stands right below it.
    if written and written[0] in shouted.keys() - numbered.keys() and (len(shouted) == 1 or written[1] in shouted):
        title = shouted.pop(written[0])[0]
        lines[written[0]] = ""
    for marks in (shouted, numbered):
        if len(marks) > 1:
            before, sections = _cut_at(lines, marks)
            return _Pieces(title, before, [_with_own_text(section) for section in sections])
    paragraphs = [p.strip() for p in re.split(r"\n[^\S\n]*\n", "\n".join(lines)) if p.strip()]
    return _Pieces(title, "", [_Section(_first_words(p), p) for p in paragraphs])


def _is_shouted(line: str, before: str) -> bool:
    """Whether a line is an UPPERCASE heading: short, after an empty line, with a word in it, no sentence."""
    line = line.strip()
    if not line.isupper() or line.endswith(".") or before.strip():
        return False
    return len(line) <= _HEADING_LENGTH and _WORD.search(line) is not None


def _is_headline(lines: list[str], number: int) -> int:
    """1 if a numbered line is a heading, 0 if it is where a paragraph begins that may run over several lines."""
    line, after = lines[number].strip(), lines[number + 1].strip() if number + 1 < len(lines) else ""
    if not after:
        return int(len(line) <= _HEADING_LENGTH)
    return int(len(line) <= _UNWRAPPED_LENGTH and after[0].isupper())


def _with_own_text(section: _Section) -> _Section:
    """Let a numbered paragraph be its own text, with its first words for a heading."""
    if section.level and section.text:
        return section
    text = f"{section.heading}\n{section.text}".strip()
    return _Section(section.heading if section.level else _first_words(text), text)


def _first_words(text: str) -> str:
    return " ".join(text.split()[:_OPENING_WORDS])


def _cut_at(lines: list[str], headings: Mapping[int, tuple[str, int]]) -> tuple[str, list[_Section]]:
    """Cut lines at the numbered ones: what stands before the first, and a section for each."""
    bounds = [*sorted(headings), len(lines)]
    return _text_of(lines[: bounds[0]]), [
        _Section(headings[start][0], _text_of(lines[start + 1 : end]), headings[start][1])
        for start, end in pairwise(bounds)
    ]


def _text_of(lines: list[str]) -> str:
    return "\n".join(lines).strip()


def _join(texts: Iterable[str]) -> str:
    return "\n\n".join(text for text in texts if text)


def _ids(sections: Iterable[_Section]) -> list[str]:
    """An id for each section that depends on it and those before it alone, so that what follows never renames it."""
    ids: list[str] = []
    for position, section in enumerate(sections, start=1):
        # A number is a place, not a name: inserting a clause must not rename the rest.
        bare = slug(_NUMBER.sub("", section.heading, count=1)) if _NUMBER.match(section.heading) else ""
        # A script without Latin letters leaves an empty slug.
        wanted = bare or slug(section.heading) or f"clause-{position}"
        candidate, copy = wanted, 1
        while candidate in ids:
            copy += 1
            candidate = f"{wanted}-{copy}"
        ids.append(candidate)
    return ids


def _fill(text: str, values: Mapping[str, str]) -> str:
    """Fill our two slots in one pass, as core.markdown.fill does, and leave every other brace alone."""
    return _SLOT.sub(lambda match: values[match[1]], text)


_READERS: dict[str, Callable[[str], _Pieces]] = {".md": _cut_markdown, ".txt": _cut_text}
_ADVICE = {
    ".md": "give each clause a heading of its own, such as '## Telling the truth'",
    ".txt": "write one paragraph for each clause",
}
