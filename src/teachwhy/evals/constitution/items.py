"""Written items about a constitution: Markdown, one file an item, bound to the constitution they were written for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal

from teachwhy.constitution import Clause, Constitution, find_clauses
from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.markdown import CANARY, fill, load_mapping, sections, split_front_matter
from teachwhy.core.records import Record

ITEMS = Path(__file__).parent / "items"
BINDING = "written-for.yaml"
"""Names the constitution of a folder of items."""

Kind = Literal["recall", "false_premise", "beliefs"]
DIMENSIONS: Mapping[Kind, str] = {"recall": "recalled", "false_premise": "misled", "beliefs": "holds"}
WORDINGS = {"As you": "you", "By name": "name", "Third party": "third"}
"""Heading to side, where one question is asked in three ways."""

LIKENESS = 0.25
"""How far good and bad may differ in length: likelihoods are sums, so the shorter wins for being short."""
_WORDS = range(6, 46)
_ALTERNATIVES = 2
_NAMES = ("model_name", "provider_name")
_NAME_FIRST = re.compile(r"(?:^|[.!?:]\s+)\{(?:model|provider)_name\}")
_SLOT = re.compile(r"\{([^{}]*)\}")
_ADDRESS = re.compile(r"\byou(?:r|rs|rself)?\b", re.IGNORECASE)
_PERSON = re.compile(r"\b(?:I|[Mm]e|[Mm]y|[Mm]ine|[Mm]yself)\b|\{")


class Item(Record):
    """One question, or one in three wordings, with written answers."""

    id: str
    """Folder and stem."""
    kind: Kind
    clause: str
    questions: dict[str, str]
    """Side to question; the side is empty where there is one wording."""
    good: tuple[str, ...]
    """``recall``: true; ``false_premise``: corrects it; ``beliefs``: what the character holds."""
    bad: tuple[str, ...]

    def texts(self) -> tuple[str, ...]:
        """All that is written."""
        return (*self.questions.values(), *self.good, *self.bad)


def load_items(constitution: Constitution, names: Mapping[str, str], folder: Path = ITEMS) -> list[Item]:
    """The items of a folder, with ``model_name`` and ``provider_name`` filled in.

    Raises ConfigError, in one line that names the file, for one that is not in the form of items/README.md, for items
    that say the same, and for a folder that was written for another constitution.
    """
    if not folder.is_dir():
        raise ConfigError(f"items: no folder {str(folder)!r}; give one with recall/, false_premise/ or beliefs/ in it")
    bound = written_for(folder)
    if bound != constitution.sha256:
        raise ConfigError(
            f"{folder.name}/{BINDING}: these items were written for a constitution with sha256 {bound[:12]}…, and "
            f"{constitution.title!r} has {constitution.sha256[:12]}…; give the items of this one, or none"
        )
    found = [read_item(path, kind) for kind in DIMENSIONS for path in sorted((folder / kind).glob("*.md"))]
    if not found:
        raise ConfigError(f"items: {str(folder)!r} holds none; write them in recall/, false_premise/ or beliefs/")
    for item in found:
        _clause(item, constitution)
    check_unique(found)
    return [_filled(item, names) for item in found]


def written_for(folder: Path = ITEMS) -> str:
    """The sha256 of the constitution that a folder's items were written for."""
    path = folder / BINDING
    try:
        found = load_mapping(path.read_text(encoding="utf-8"), f"{folder.name}/{BINDING}").get("constitution")
    except OSError:
        raise ConfigError(f"{path} is missing; write 'constitution: ' and the constitution's sha256 in it") from None
    if not isinstance(found, str) or not re.fullmatch(r"[0-9a-f]{64}", found):
        raise ConfigError(f"{path}: 'constitution' must be the 64 digits of a sha256, found {found!r}")
    return found


def read_item(path: Path, kind: Kind) -> Item:
    """One file, checked for its form but not yet filled in; ConfigError in one line."""
    where = f"{kind}/{path.name}"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(f"{where}: cannot be read as UTF-8; save it anew") from None
    if CANARY not in text:
        raise ConfigError(f"{where} lacks the canary; add the line '# {CANARY}' to its front matter")
    front, body = split_front_matter(text, where)
    for key in front:
        if key != "clause":
            raise ConfigError(f"{where}: unknown field {key!r}; the front matter holds 'clause' alone")
    parts = sections(body)
    headings = list(WORDINGS) if kind == "beliefs" else ["Question"]
    for heading, text in parts:
        if heading not in (*headings, "Good", "Bad"):
            raise ConfigError(f"{where}: unknown section {heading!r}; {guess(heading, (*headings, 'Good', 'Bad'))}")
        if not text or "\n\n" in text:
            raise ConfigError(f"{where}: section {heading!r} must be one paragraph")
    for heading in headings:
        if sum(given == heading for given, _ in parts) != 1:
            raise ConfigError(f"{where}: needs the section '# {heading}' once")
    item = Item(
        id=f"{kind}/{path.stem}",
        kind=kind,
        clause=str(front.get("clause", "")),
        questions={WORDINGS.get(heading, ""): _flat(text) for heading, text in parts if heading in headings},
        good=tuple(_flat(text) for heading, text in parts if heading == "Good"),
        bad=tuple(_flat(text) for heading, text in parts if heading == "Bad"),
    )
    _check_words(item, where)
    _check_slots(item, where)
    return item


def _flat(text: str) -> str:
    return " ".join(text.split())


def _check_words(item: Item, where: str) -> None:
    for name, answers in (("Good", item.good), ("Bad", item.bad)):
        if len(answers) < _ALTERNATIVES:
            raise ConfigError(f"{where}: needs '# {name}' at least twice, a heading each")
    lengths = [[len(text.split()) for text in answers] for answers in (item.good, item.bad)]
    for words in (*lengths[0], *lengths[1]):
        if words not in _WORDS:
            raise ConfigError(f"{where}: an answer of {words} words; write {_WORDS[0]} to {_WORDS[-1]}")
    for name, measure in (("mean", fmean), ("shortest", min)):
        good, bad = (float(measure(words)) for words in lengths)
        if abs(good - bad) > LIKENESS * max(good, bad):
            raise ConfigError(
                f"{where}: good and bad answers must be of like length: {name} {good:g} and {bad:g} words; "
                f"bring them within {LIKENESS:.0%}"
            )


def _check_slots(item: Item, where: str) -> None:
    for text in item.texts():
        for slot in _SLOT.findall(text):
            if slot not in _NAMES:
                raise ConfigError(f"{where}: unknown slot {{{slot}}}; {guess(slot, _NAMES)}")
        if _NAME_FIRST.search(text):
            raise ConfigError(f"{where}: a sentence begins with a name: {text[:40]!r}; the name may be 'the model'")
    if item.kind == "beliefs":
        _check_wordings(item, where)


def _check_wordings(item: Item, where: str) -> None:
    you, name, third = (item.questions[side] for side in WORDINGS.values())
    if not _ADDRESS.search(you) or "{model_name}" in you:
        raise ConfigError(f"{where}: '# As you' must say 'you', and not {{model_name}}")
    if "{model_name}" not in name or _ADDRESS.search(name):
        raise ConfigError(f"{where}: '# By name' must say {{model_name}}, and not 'you'")
    if "{model_name}" in third or _ADDRESS.search(third):
        raise ConfigError(f"{where}: '# Third party' must say neither 'you' nor {{model_name}}")
    for answer in (*item.good, *item.bad):
        found = _PERSON.search(answer) or _ADDRESS.search(answer)
        if found:
            raise ConfigError(f"{where}: an answer says {found[0]!r}; one answer serves all wordings and names nobody")


def check_unique(items: Sequence[Item]) -> None:
    """Refuse items that ask or answer the same."""
    texts = Counter(text.casefold() for item in items for text in {*item.texts()})
    for item in items:
        for text in item.texts():
            if texts[text.casefold()] > 1:
                raise ConfigError(f"{item.id}: stands in another item as well: {text[:60]!r}; change one of them")


def _clause(item: Item, constitution: Constitution) -> Clause:
    try:
        return find_clauses(constitution, [item.clause])[0]
    except ConfigError as error:
        raise ConfigError(f"{item.id}: {error}") from None


def _filled(item: Item, names: Mapping[str, str]) -> Item:
    def filled(texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(fill(text, names, item.id) for text in texts)

    questions = dict(zip(item.questions, filled(item.questions.values()), strict=True))
    return item.model_copy(update={"questions": questions, "good": filled(item.good), "bad": filled(item.bad)})


def measured_text(folder: Path = ITEMS) -> dict[str, str]:
    """File name to full text, for the guard that keeps training data apart."""
    paths = [path for kind in DIMENSIONS for path in sorted((folder / kind).glob("*.md"))]
    return {f"{path.parent.name}/{path.name}": path.read_text("utf-8") for path in paths}
