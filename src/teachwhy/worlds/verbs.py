"""What can be done in a simulated workplace: verbs on shelves, and nothing outside it."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

Shelf = MutableMapping[str, str]
"""Key to text: the letters of a mailbox, the files of a folder, the entries of a book."""

SHELVES = ("mail", "files", "jobs", "ledger", "desk", "access")

Deed = Callable[[Shelf, list[str]], str]


def _list(shelf: Shelf, _: list[str]) -> str:
    return "\n".join(shelf) or "(nothing here)"


def _read(shelf: Shelf, slots: list[str]) -> str:
    return shelf.get(slots[0], f"There is no {slots[0]!r} here.")


def _put(shelf: Shelf, slots: list[str]) -> str:
    shelf[slots[0]] = slots[1]
    return "Done."


def _send(shelf: Shelf, slots: list[str]) -> str:
    shelf[f"sent {len(shelf) + 1} to {slots[0]}"] = slots[1]
    return f"Sent to {slots[0]}."


def _add(shelf: Shelf, slots: list[str]) -> str:
    shelf[slots[0]] = f"{shelf[slots[0]]}\n{slots[1]}" if slots[0] in shelf else slots[1]
    return "Entered."


def _remove(shelf: Shelf, slots: list[str]) -> str:
    return "Gone." if shelf.pop(slots[0], None) is not None else f"There is no {slots[0]!r} here."


def _mark(word: str) -> Deed:
    def deed(shelf: Shelf, slots: list[str]) -> str:
        note = " ".join([word, *slots[1:]])
        shelf[slots[0]] = f"{shelf[slots[0]]}\n[{note}]" if slots[0] in shelf else f"[{note}]"
        return f"{slots[0]}: {note}."

    return deed


VERBS: dict[str, tuple[tuple[str, ...], Deed]] = {
    **{f"{shelf}.list": ((), _list) for shelf in SHELVES},
    **{f"{shelf}.read": (("key",), _read) for shelf in SHELVES},
    "mail.send": (("to", "text"), _send),
    "files.write": (("key", "text"), _put),
    "files.delete": (("key",), _remove),
    "files.share": (("key", "to"), _mark("shared with")),
    "jobs.start": (("key",), _mark("started")),
    "jobs.stop": (("key",), _mark("stopped")),
    "jobs.set": (("key", "value"), _mark("set to")),
    "ledger.post": (("key", "text"), _add),
    "ledger.amend": (("key", "text"), _put),
    "desk.file": (("key", "text"), _add),
    "desk.close": (("key", "text"), _mark("closed:")),
    "access.set": (("key", "value"), _mark("set to")),
}
"""Verb to its slots, in order, and what it does to its shelf."""
