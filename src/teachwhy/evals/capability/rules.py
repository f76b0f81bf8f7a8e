"""The rules by which answers are graded: numbers, words in a text, calls, constraints of form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.thoughts import outward

_NUMBER = re.compile(r"(?<![\w.])[-−]?\d+(?:[.,]\d{3})*(?:[.,]\d+)?(?!\w)")
_SENTENCE = re.compile(r"[.!?]+[\"”’')*]*(?=\s|$)")


def plain(text: str) -> str:
    """What was said, without thinking aloud and without the marks of bold type."""
    return outward(text).replace("**", "").strip()


def last_number(text: str) -> float | None:
    """The last number that stands in a text; a comma before three digits parts thousands, as does a full stop."""
    found = _NUMBER.findall(plain(text))
    if not found:
        return None
    digits = re.sub(r"[.,](?=\d{3}(?:\D|$))", "", found[-1].replace("−", "-"))
    return float(digits.replace(",", "."))


def says_first(text: str, accepted: Sequence[str], wrong: Sequence[str]) -> str:
    """The accepted answer that is said before any wrong one; empty if there is none."""
    said = plain(text)
    right = _first(said, accepted)
    if right is None:
        return ""
    off = _first(said, wrong)
    return said[right.start() : right.end()] if off is None or _place(right) < _place(off) else ""


def mentions(text: str, phrases: Sequence[str]) -> bool:
    """Whether any of these is said."""
    return _first(plain(text), phrases) is not None


def _place(match: re.Match[str]) -> tuple[int, int]:
    return match.start(), -match.end()


def _first(text: str, phrases: Sequence[str]) -> re.Match[str] | None:
    found = [match for phrase in phrases if (match := _search(phrase, text))]
    return min(found, key=_place, default=None)


def _search(phrase: str, text: str) -> re.Match[str] | None:
    return re.search(_whole(phrase), text.replace("’", "'"), re.IGNORECASE)


def _whole(phrase: str) -> str:
    """The phrase as a regex that does not match within a longer word."""
    before = r"(?<!\w)(?<!\d[.,])" if re.match(r"\w", phrase) else ""
    after = r"(?!\w|[.,]\d)" if re.search(r"\w$", phrase) else ""
    return f"{before}{re.escape(phrase)}{after}"


def wrong_call(tool: str, args: Mapping[str, Any], wanted: Mapping[str, str | Sequence[str]]) -> str:
    """What is wrong with a call; empty if it is the wanted one after normalising."""
    if tool != wanted["tool"]:
        return f"called {tool}, not {wanted['tool']}"
    expected = {name: accepted for name, accepted in wanted.items() if name != "tool"}
    for name in args.keys() - expected.keys():
        return f"{name} is no argument of it"
    for name, accepted in expected.items():
        if name not in args:
            return f"{name} is missing"
        if accepted != "*" and _normal(args[name]) not in {_normal(value) for value in accepted}:
            return f"{name} is {args[name]!r}"
    return ""


def _normal(value: object) -> str:
    """A value without what does not matter: capitals, spaces around, quotes, a full stop, how a number is written."""
    text = " ".join(str(value).split()).strip(" .!\"'“”‘’").casefold()
    try:
        return f"{float(text.replace(',', '.')):g}"
    except ValueError:
        return text


def broken_rule(text: str, rules: Mapping[str, Any]) -> str:
    """The first rule of an instruction that an answer does not keep; empty if it keeps all."""
    said = plain(text)
    return next((f"{name}: {value}" for name, value in rules.items() if not _RULES[name](said, value)), "")


def is_beyond_mending(text: str, rules: Mapping[str, Any]) -> bool:
    """Whether an answer that was cut off breaks a rule that nothing which could follow would mend."""
    said = plain(text)
    return any(name in _LASTING and not _RULES[name](said, _at_most(value)) for name, value in rules.items())


def _at_most(wanted: object) -> object:
    """A number or a range of numbers, as a limit on what is only part of an answer."""
    if isinstance(wanted, list):
        last = cast("list[Any]", wanted)[-1]
        return [0, last] if isinstance(last, int) else cast("object", wanted)
    return [0, wanted] if isinstance(wanted, int) else wanted


def check_rules(rules: Mapping[str, Any], where: str) -> None:
    """Refuse a rule that there is not."""
    for name, value in rules.items():
        if name not in _RULES:
            raise ConfigError(f"{where}: unknown rule {name!r}; {guess(name, _RULES)}")
        if name in _FORMS and value not in _FORMS[name]:
            raise ConfigError(f"{where}: {name}: unknown {value!r}; {guess(str(value), _FORMS[name])}")


def _words(text: str) -> list[str]:
    return [word for word in text.split() if re.search(r"\w", word)]


def _lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def _sentences(text: str) -> int:
    """How many; a last one without its full stop counts."""
    parts = [part for part in _SENTENCE.split(text) if re.search(r"\w", part)]
    return len(parts)


def _within(number: int, wanted: int | Sequence[int]) -> bool:
    return number == wanted if isinstance(wanted, int) else wanted[0] <= number <= wanted[1]


def _is_cased(text: str, casing: str) -> bool:
    return any(letter.isalpha() for letter in text) and text == (text.upper() if casing == "upper" else text.lower())


def _bare(text: str) -> str:
    return text.strip().strip("\"“”'’.!").strip().casefold()


def _begins(text: str, start: str) -> bool:
    match = _search(start, text.lstrip("\"“'"))
    return match is not None and match.start() == 0


def _ends(text: str, end: str) -> bool:
    return text.rstrip("\"”'’ \n").endswith(end) or _bare(text).endswith(_bare(end) or "\0")


def _is_ordered(text: str, words: Sequence[str]) -> bool:
    at = 0
    for word in words:
        match = _search(word, text[at:])
        if match is None:
            return False
        at += match.end()
    return True


def _has_form(text: str, form: str) -> bool:
    lines = _lines(text)
    if form == "quoted":
        return re.fullmatch(r"[\"“][^\"“”]+[\"”]\.?", text) is not None
    if form == "numbered":
        return all(re.match(rf"{at}[.)]\s*\S", line) for at, line in enumerate(lines, start=1))
    return all(re.match(r"[-–—•*]\s*\S", line) for line in lines)


def _is_json(text: str, wanted: object) -> bool:
    body = re.sub(r"\A```(?:json)?\s*|\s*```\Z", "", text)
    try:
        return json.loads(body) == wanted
    except ValueError:
        return False


def _counts(text: str, wanted: Mapping[str, int]) -> bool:
    return all(len(re.findall(_whole(word), text, re.IGNORECASE)) == number for word, number in wanted.items())


_RULES: Mapping[str, Callable[[str, Any], bool]] = {
    "words": lambda text, wanted: _within(len(_words(text)), wanted),
    "sentences": lambda text, wanted: _within(_sentences(text), wanted),
    "lines": lambda text, wanted: _within(len(_lines(text)), wanted),
    "parts": lambda text, wanted: _within(len([part for part in text.split(",") if _words(part)]), wanted),
    "digits": lambda text, wanted: _within(sum(letter.isdigit() for letter in text), wanted),
    "count": _counts,
    "uses": lambda text, words: all(_search(word, text) for word in words),
    "avoids": lambda text, words: not any(_search(word, text) for word in words),
    "only": lambda text, words: _bare(text) in [_bare(word) for word in words],
    "starts": _begins,
    "ends": _ends,
    "order": _is_ordered,
    "each_begins": lambda text, letter: all(_bare(word).startswith(letter) for word in _words(text)),
    "casing": _is_cased,
    "form": _has_form,
    "json": _is_json,
}
_LASTING = ("words", "sentences", "lines", "parts", "digits", "avoids", "starts", "each_begins", "casing", "only")
"""The rules that an answer which breaks them breaks for good, however it goes on."""
_FORMS = {"casing": ("upper", "lower"), "form": ("bullets", "numbered", "quoted")}
