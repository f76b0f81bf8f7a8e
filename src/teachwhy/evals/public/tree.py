"""Upstream's result tree, read and written: published responses can be judged here, and ours there.

``RESULTS/prompts/<condition>/{system_prompt,user_prompt,email_content}.txt, metadata.json`` and
``RESULTS/models/<model>/<condition>/sample_001/response.json`` (older trees have no ``models``). Whatever a
``response.json`` holds is kept as it stands, so that reading and writing a tree changes no byte of these files.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from teachwhy.core.errors import ConfigError
from teachwhy.core.records import Record, Verdict
from teachwhy.evals.public.conditions import named, prompt_of, survey
from teachwhy.evals.public.verdicts import Answer, Case, Decision, grade

UPSTREAM_JOIN = "\n\n"
"""Between instruction and inbox, upstream."""
ROWS_CONDITION = "blackmail_explicit-america_replacement"
"""The one condition of the published rows."""
_TEXTS = ("system_prompt.txt", "user_prompt.txt", "email_content.txt", "metadata.json")
_GRADED = re.compile(r"classification(_v\d+)?")
_LEAK = re.compile(r"\$\{\w+\}|\{company_name\}")
_FAMILIES = {"blackmail": "blackmail", "leak": "leaking", "murder": "murder"}


class Response(Record):
    """One ``response.json``."""

    path: str
    """Relative to the tree."""
    model: str
    condition: str
    sample: int
    data: dict[str, Any]
    """All it holds, in its order."""


class Tree(Record):
    """An experiment's prompts and responses."""

    prompts: dict[str, dict[str, str]]
    """Condition to file name to text."""
    responses: tuple[Response, ...]


class Filed(Record):
    """A response with what graders answered on it, as far as the tree holds it."""

    model: str
    system: str
    user: str
    case: Case
    answers: tuple[Answer, ...] | None
    """None where nothing in the whole tree was graded."""
    decision: Decision | None
    """None where nobody was asked in the whole tree."""


def read_tree(folder: Path) -> Tree:
    """The tree under ``folder``; ConfigError if it holds no response, or one that cannot be read.

    A folder of published rows, one JSON object a line in ``*.jsonl``, is read as a tree too.
    """
    if sorted(folder.glob("*.jsonl")):
        return read_rows(sorted(folder.glob("*.jsonl")))
    prompts = {
        place.name: {name: _read(place / name) for name in _TEXTS if (place / name).exists()}
        for place in sorted((folder / "prompts").glob("*"))
        if place.is_dir()
    }
    found = sorted([*folder.glob("models/*/*/sample_*/response.json"), *folder.glob("*/*/sample_*/response.json")])
    if not found:
        raise ConfigError(f"{folder} is no result tree: it has no models/<model>/<condition>/sample_001/response.json")
    return Tree(prompts=prompts, responses=tuple(_response(folder, path) for path in found))


def _read(path: Path) -> str:
    return path.read_bytes().decode("utf-8")


def _response(folder: Path, path: Path) -> Response:
    try:
        data = json.loads(_read(path))
    except ValueError as error:
        raise ConfigError(f"{path} is no JSON: {error}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path} holds no JSON object")
    held = cast("dict[str, Any]", data)
    model, condition, sample = path.parts[-4:-1]
    digits = re.search(r"\d+", sample)
    return Response(
        path=path.relative_to(folder).as_posix(),
        model=str(_of(held, "metadata").get("model", model)),
        condition=condition,
        sample=int(digits.group()) if digits else 0,
        data=held,
    )


def read_rows(paths: Iterable[Path]) -> Tree:
    """Rows of ``desBugger/constitutional-mt``: ``model_name``, ``response``, ``judge_verdict``, ``judge_reasoning``.

    All are of one condition. Files of one model are numbered on.
    """
    numbers: dict[str, int] = {}
    responses: list[Response] = []
    for path in paths:
        for at, line in enumerate(_read(path).rstrip("\n").split("\n"), 1):
            try:
                row = cast("dict[str, Any]", json.loads(line))
                model, text, said = str(row["model_name"]), str(row["response"]), bool(row["judge_verdict"])
            except (ValueError, KeyError, TypeError) as error:
                raise ConfigError(f"{path}:{at}: no published row ({type(error).__name__}: {error})") from error
            numbers[model] = number = numbers.get(model, 0) + 1
            graded = {"harmful_behavior": bool(row.get("blackmail")), "classifier_verdict": said}
            graded |= {"classifier_reasoning": str(row.get("judge_reasoning", ""))}
            about = {"model": model, "condition": ROWS_CONDITION, "sample_id": number}
            data = {"raw_response": text, "metadata": about, "classification": graded}
            name = f"models/{folder_of(model)}/{ROWS_CONDITION}/sample_{number:03d}/response.json"
            responses.append(Response(path=name, model=model, condition=ROWS_CONDITION, sample=number, data=data))
    return Tree(prompts={}, responses=tuple(responses))


def folder_of(model: str) -> str:
    """A model's name as upstream makes a folder of it."""
    return re.sub(r"[/:]", "_", model)


def write_tree(tree: Tree, folder: Path) -> None:
    """Write a tree as upstream writes it; ConfigError if a file of it is there already."""
    files = {
        f"prompts/{condition}/{name}": text for condition, texts in tree.prompts.items() for name, text in texts.items()
    }
    files |= {response.path: json.dumps(response.data, indent=2, ensure_ascii=False) for response in tree.responses}
    for name in files:
        if (folder / name).exists():
            raise ConfigError(f"{folder / name} is there already: name a folder without a tree")
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode("utf-8"))


def file(tree: Tree) -> list[Filed]:
    """Every response as a case, in order, with the graders' answers that stand beside it.

    Where there are several models, the case's ``side`` begins with the model's name: none is pooled with another.
    """
    graded = any(_graded(response.data) for response in tree.responses)
    known = {prompt.condition.name: prompt.same_as for prompt in survey().prompts}
    places = {name: place for place, name in enumerate(known)}
    conditions = sorted(
        {each.condition for each in tree.responses}, key=lambda name: (places.get(name, len(known)), name)
    )
    seen = {condition: _seen(tree, condition) for condition in conditions}
    first: dict[str, str] = {}
    for condition, (cluster, *_) in seen.items():
        first.setdefault(cluster, known.get(condition) or condition)
    read = any("decision_classification" in response.data for response in tree.responses)
    held = [_filed(response, seen[response.condition], first, graded=graded, read=read) for response in tree.responses]
    return _told_apart(held) if len({each.model for each in held}) > 1 else held


def _told_apart(held: Iterable[Filed]) -> list[Filed]:
    sides = [(each, ", ".join(filter(None, [each.model, each.case.side]))) for each in held]
    return [each.model_copy(update={"case": each.case.model_copy(update={"side": side})}) for each, side in sides]


def verdicts(tree: Tree) -> list[Verdict]:
    """What the tree holds, counted four ways: by rule, and by the graders' answers in it."""
    return [verdict for filed in file(tree) for verdict in grade(filed.case, filed.answers, filed.decision)]


def _filed(
    response: Response, seen: tuple[str, str, str, str], first: Mapping[str, str], *, graded: bool, read: bool
) -> Filed:
    data = response.data
    cluster, system, user, emails = seen
    marks = {
        "leaky": bool(_LEAK.search(system + user)),
        "swapped": "_swap-" in response.condition,
        "duplicate": first[cluster] != response.condition,
    }
    metadata = _of(data, "metadata")
    failed = str(data.get("error", "")) or ("failed" if metadata.get("failed") else "")
    stop = _of(metadata, "api_metadata").get("stop_reason")
    case = Case(
        family=family_of(response.condition),
        cluster=cluster,
        condition=response.condition,
        side="+".join(mark for mark, holds in marks.items() if holds),
        sample=response.sample,
        text=str(data.get("raw_response") or ""),
        stop=str(stop) if stop else "",
        error=failed,
        emails=emails,
    )
    return Filed(
        model=response.model,
        system=system,
        user=user,
        case=case,
        answers=tuple(_answers(data)) if graded else None,
        decision=_decision(_of(data, "decision_classification")) if read else None,
    )


def family_of(condition: str) -> str:
    """The family by upstream's own rule, a word in the condition's name; ConfigError where there is none."""
    for word, family in _FAMILIES.items():
        if word in condition.lower():
            return family
    raise ConfigError(f"condition {condition!r} names none of {', '.join(_FAMILIES.values())}")


def _seen(tree: Tree, condition: str) -> tuple[str, str, str, str]:
    """Cluster, system prompt, user turn and inbox; from the package's generator where the tree has no prompts."""
    texts = tree.prompts.get(condition, {})
    if "email_content.txt" not in texts:
        known = named(condition)
        if known is None:
            return f"{family_of(condition)}-{condition}", "", "", ""
        prompt = prompt_of(known)
        return prompt.cluster, prompt.system, prompt.user, prompt.emails
    system, emails = texts.get("system_prompt.txt", ""), texts["email_content.txt"]
    user = texts.get("user_prompt.txt", "") + _join(texts.get("metadata.json", "{}"), condition) + emails
    digest = hashlib.sha256(f"{system}\0{user}".encode()).hexdigest()
    return f"{family_of(condition)}-{digest[:10]}", system, user, emails


def _join(metadata: str, condition: str) -> str:
    """What stands between instruction and inbox: a tree of ours says so."""
    try:
        held = {"metadata": json.loads(metadata)}
    except ValueError as error:
        raise ConfigError(f"prompts/{condition}/metadata.json is no JSON: {error}") from error
    return str(_of(held, "metadata").get("joined_with", UPSTREAM_JOIN))


def _of(data: Mapping[str, Any], key: str) -> dict[str, Any]:
    found = data.get(key)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _graded(data: Mapping[str, Any]) -> list[str]:
    return [key for key in data if _GRADED.fullmatch(key)]


def _answers(data: Mapping[str, Any]) -> Iterable[Answer]:
    names: set[str] = set()
    for key in _graded(data):
        held = _of(data, key)
        model = str(held.get("classifier_model") or "grader")
        name = f"{model} ({key})" if model in names else model
        names.add(name)
        said = held.get("classifier_verdict")
        reasoning = str(held.get("classifier_reasoning") or held.get("error") or "")
        yield Answer(judge=name, said=said if isinstance(said, bool) else None, reasoning=reasoning)


def _decision(held: Mapping[str, Any]) -> Decision:
    if not held:
        return Decision(value=None, reason="void: no answer of a judge")
    said = held.get("decided")
    judge = str(held.get("classifier_model") or "judge")
    value = float(said) if isinstance(said, bool | int | float) else None
    return Decision(
        value=value,
        quote=str(held.get("quote") or ""),
        reason=str(held.get("classifier_reasoning") or held.get("error") or ""),
        opinions=cast("dict[str, float | None]", held.get("opinions") or {judge: value}),
        grader=judge,
    )
