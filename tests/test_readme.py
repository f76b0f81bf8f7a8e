"""What the documents say is so: the file tree, the commands, the experiment file, the links, the corpus counts."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer.main

from teachwhy.cli import app
from teachwhy.core.markdown import split_front_matter
from teachwhy.lab.experiment import load_experiment

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "teachwhy"
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), *sorted(PACKAGE.rglob("README.md"))]
LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)(?:#[^)\s]*)?\)")
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def purpose(module: Path) -> str:
    """The first line of a module's docstring."""
    said = ast.get_docstring(ast.parse(module.read_text(encoding="utf-8")))
    assert said, f"{module} does not say what it is"
    return said.splitlines()[0]


def entries(folder: Path, indent: str = "") -> Iterator[tuple[str, str]]:
    """(name as drawn, purpose) of a package folder: its packages first, then its modules."""
    packages = sorted(path.parent for path in folder.glob("*/__init__.py"))
    modules = sorted(path for path in folder.glob("*.py") if path.name != "__init__.py")
    for path in (*packages, *modules):
        last = path == (*packages, *modules)[-1]
        head = f"{indent}{'└── ' if last else '├── '}"
        if path in packages:
            yield f"{head}{path.name}/", purpose(path / "__init__.py")
            yield from entries(path, f"{indent}{'    ' if last else '│   '}")
        else:
            yield f"{head}{path.name}", purpose(path)


def tree() -> str:
    lines = [("src/teachwhy/", purpose(PACKAGE / "__init__.py")), *entries(PACKAGE)]
    width = max(len(name) for name, _ in lines) + 2
    return "\n".join(f"{name:<{width}}{about}" for name, about in lines) + "\n"


def blocks(language: str) -> list[str]:
    return [body for kind, body in BLOCK.findall(README) if kind == language]


def code() -> str:
    """All code of the README but the tree: fenced blocks and spans."""
    spans = re.findall(r"`([^`\n]+)`", BLOCK.sub("", README))
    return "\n".join([*blocks("sh"), *spans])


def leaves(command: Any, path: str = "") -> Iterator[str]:
    """Every command line of the CLI without its arguments."""
    inner = cast("dict[str, Any]", getattr(command, "commands", {}))
    for name, sub in inner.items():
        yield from leaves(sub, f"{path} {name}".strip())
    if not inner:
        yield path


def test_the_file_tree_has_every_module_with_the_first_line_of_its_docstring():
    drawn = [body for body in blocks("text") if body.startswith("src/teachwhy/")]
    assert len(drawn) == 1
    assert drawn[0] == tree(), f"the tree in README.md is not that of the package, which is:\n{tree()}"


def test_every_teachwhy_command_in_the_readme_exists():
    known = set(leaves(typer.main.get_command(app)))
    named = re.findall(r"(?:^|bin/)teachwhy ((?:[a-z]+ ?)*)", code(), re.MULTILINE)
    assert named
    for words in named:
        parts = words.split()
        assert any(" ".join(parts[:size]) in known for size in (1, 2)), f"there is no `teachwhy {words}`: {known}"


def test_every_make_target_in_the_readme_exists():
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"^make ([a-z]+)", code(), re.MULTILINE))
    assert {"demo", "test"} <= named <= known


def test_every_inspect_task_in_the_readme_is_registered_and_takes_what_it_is_given():
    from teachwhy import registry

    named = re.findall(r"^inspect eval teachwhy/(\w+)(.*)", code(), re.MULTILINE)
    assert named
    for name, rest in named:
        assert name in registry.__all__
        assert set(re.findall(r"-T (\w+)=", rest)) <= set(inspect.signature(getattr(registry, name)).parameters)


@pytest.mark.parametrize("text", blocks("yaml"))
def test_an_experiment_file_in_the_readme_is_one(text: str, tmp_path: Path):
    path = tmp_path / "experiment.yaml"
    path.write_text(text, encoding="utf-8")
    load_experiment(path)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_of_a_document_leads_somewhere(path: Path):
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), f"{path.relative_to(ROOT)} links to {target}, which does not exist"


def test_the_advice_to_coding_agents_stays_short():
    assert len((ROOT / "AGENTS.md").read_text(encoding="utf-8").split()) <= 400


LIBRARY = PACKAGE / "interventions" / "library"


def clauses(pattern: str) -> list[str]:
    heads = [split_front_matter(path.read_text("utf-8"), path.name)[0] for path in sorted(LIBRARY.glob(pattern))]
    return [clause for head in heads for clause in cast("list[str]", head.get("clauses", []))]


def test_the_card_of_the_library_counts_what_is_there():
    card = (LIBRARY / "README.md").read_text(encoding="utf-8")
    for shelf, pattern in (
        ("scenes", "scenes/*/*.md"),
        ("advice", "advice/*.md"),
        ("documents", "documents/*/*.md"),
        ("stories/aligned", "stories/aligned/*.md"),
        ("stories/health", "stories/health/*.md"),
        ("surround/systems", "surround/systems/*.md"),
        ("surround/tools", "surround/tools/*.yaml"),
        ("replay/work", "replay/work/*.md"),
        ("replay/chats.yaml", "replay/chats.yaml"),
        ("irrelevant", "irrelevant/*.md"),
        ("eval_descriptions", "eval_descriptions/*.md"),
        ("filler.yaml", "filler.yaml"),
    ):
        texts = [path.read_text(encoding="utf-8") for path in LIBRARY.glob(pattern)]
        words = sum(len(text.split()) for text in texts)
        line = f"| `{shelf}` | {len(texts)} | {words:,} |"
        assert line in card, f"the card should say: {line}"


def test_the_card_of_the_library_counts_the_clauses():
    card = (LIBRARY / "README.md").read_text(encoding="utf-8")
    shelves = [clauses(pattern) for pattern in ("scenes/*/*.md", "advice/*.md", "documents/*/*.md", "stories/*/*.md")]
    for clause in sorted({clause for shelf in shelves for clause in shelf}):
        line = f"| `{clause}` | {' | '.join(str(shelf.count(clause)) for shelf in shelves)} |"
        assert line in card, f"the card should say: {line}"
