"""Fills the templates of a page: what a model wrote is always escaped, and a name that is not given is an error."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

import jinja2

from teachwhy.lab.report import words
from teachwhy.lab.report.sheets import plain


def render(template: str, values: Mapping[str, Any], package: str = __package__ or "") -> str:
    """A template of a package, filled. What it includes is of that package or, as the style, of this one."""

    def read(name: str) -> str | None:
        for place in dict.fromkeys((package, __package__ or "")):
            file = resources.files(place).joinpath(name)
            if file.is_file():
                return file.read_text(encoding="utf-8")
        return None

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(read),
        autoescape=jinja2.select_autoescape(["html"]),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        percent=words.percent,
        points=words.points,
        change=words.change,
        span=words.span,
        chance=words.chance,
        spread=words.spread,
        plain=plain,
        listing=words.listing,
        md=_markdown,
    )
    return environment.get_template(template).render(values)


def _markdown(text: object) -> str:
    """A text that can neither end a table's cell nor become markup."""
    escaped = "".join(f"\\{letter}" if letter in "\\`*_[]<>|#&" else letter for letter in str(text))
    return " ".join(escaped.split())
