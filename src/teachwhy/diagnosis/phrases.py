"""Phrases as people write them, looked for in texts of any length at the cost of reading their words once.

A phrase is words with a space between. ``goal/aim`` is either; ``retrain*`` any word that begins so; ``{agent}`` any of
the words listed under that name; ``#`` a number; ``very?`` may be missing; ``..`` stands for up to four words in
between, ``..8`` for up to eight. Capitals do not matter, ``'s`` may follow any word, and a phrase never runs across
the end of a sentence. Before a phrase is looked for in a text, every word that it cannot do without is known to stand
there: most are dropped unsearched.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from teachwhy.core.errors import ConfigError, guess

_WORD = re.compile(r"\w+(?:'\w+)*")
_GAP = re.compile(r"\.\.(\d*)")
_TOKEN = re.compile(r"[\w'*{}/#-]+\??|\.\.\d*")
_NUMBER = r"\d[\d,.]*"
_BETWEEN = r"[^\w.!?;]{1,4}"
_ANY_WORD = r"\w+(?:'\w+)*"
_USUAL_GAP = 4
_REMEMBERED = 1 << 19


class Vocabulary(dict[str, int]):
    """A word to the bits of all lists that it is in; remembered, since texts say most of their words very often."""

    def __init__(self) -> None:
        super().__init__()
        self._bits: dict[tuple[str, ...], int] = {}
        self._words: dict[str, int] = {}
        self._starts: dict[str, int] = {}

    def bit(self, words: Sequence[str]) -> int:
        """The bit of a list of words, each of which may end in ``*``."""
        key = tuple(words)
        if key not in self._bits:
            self._bits[key] = 1 << len(self._bits)
            for word in key:
                known = self._starts if word.endswith("*") else self._words
                # a text's words are parted at hyphens
                name = word.rstrip("*").rpartition("-")[2]
                known[name] = known.get(name, 0) | self._bits[key]
        return self._bits[key]

    def __missing__(self, word: str) -> int:
        """The bits of a word that is new."""
        bare = word.removesuffix("'s")
        bits = self._words.get(word, 0) | self._words.get(bare, 0)
        for end in range(1, len(word) + 1):
            bits |= self._starts.get(word[:end], 0)
        if len(self) < _REMEMBERED:
            self[word] = bits
        return bits


class Phrase:
    """One phrase, ready to be looked for."""

    def __init__(self, written: str, lists: Mapping[str, Sequence[str]], vocabulary: Vocabulary) -> None:
        self.written = written
        self.needs = 0
        regex, gap, begun = "", "", False
        for token in _tokens(written):
            dots = _GAP.fullmatch(token)
            if dots:
                gap = rf"(?:{_BETWEEN}{_ANY_WORD}){{0,{dots[1] or _USUAL_GAP}}}?"
                continue
            words = _words(token.removesuffix("?"), lists, written)
            either, between = _either(words), gap + _BETWEEN
            if token.endswith("?"):
                regex += f"(?:{between}{either})?" if begun else f"(?:{either}{_BETWEEN})?"
            else:
                regex += between + either if begun else either
                self.needs |= vocabulary.bit(words) if "#" not in words else 0
                begun = True
            gap = ""
        # a word by itself is known to stand there once its bit is seen
        self.one_word = bool(self.needs) and re.fullmatch(r"[\w'*{}/]+", written) is not None
        self.regex = re.compile(rf"\b{regex}\b")

    def found_in(self, searched: Searched) -> bool:
        """Whether it stands in a text."""
        if searched.bits & self.needs != self.needs:
            return False
        return self.one_word or self.regex.search(searched.text) is not None


class Searched:
    """A text in lower case, its words looked up once."""

    def __init__(self, text: str, vocabulary: Vocabulary) -> None:
        self.text = text.lower().replace("’", "'").replace("_", " ")
        self.bits = 0
        for word in set(_WORD.findall(self.text)):
            self.bits |= vocabulary[word]


def _tokens(written: str) -> list[str]:
    tokens = written.split()
    for token in tokens:
        if not _TOKEN.fullmatch(token):
            raise ConfigError(
                f"phrase {written!r}: {token!r} is no word, list, number or gap; see diagnosis/phrases.py"
            )
    if not tokens or _GAP.fullmatch(tokens[0]) or _GAP.fullmatch(tokens[-1]) or all(t.endswith("?") for t in tokens):
        raise ConfigError(f"phrase {written!r}: it begins and ends with a word, and one at least is no '?'")
    return tokens


def _words(token: str, lists: Mapping[str, Sequence[str]], written: str) -> tuple[str, ...]:
    """The words that a token stands for."""
    words: list[str] = []
    for part in token.split("/"):
        if part.startswith("{"):
            name = part.strip("{}")
            if name not in lists:
                raise ConfigError(f"phrase {written!r}: no list {name!r}; {guess(name, lists)}")
            words += lists[name]
        else:
            words.append(part)
    return tuple(word.lower() for word in words)


def _either(words: Sequence[str]) -> str:
    return "(?:" + "|".join(_regex(word) for word in sorted(words, key=len, reverse=True)) + ")"


def _regex(word: str) -> str:
    if word == "#":
        return _NUMBER
    return re.escape(word[:-1]) + r"[\w']*" if word.endswith("*") else re.escape(word) + "(?:'s)?"
