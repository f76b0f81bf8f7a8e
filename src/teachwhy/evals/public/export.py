"""A run of ours as upstream's result tree, so that upstream's scripts can read it."""

from __future__ import annotations

import json
from typing import Any, cast

from inspect_ai.log import EvalLog, EvalSample

from teachwhy.core.errors import ConfigError
from teachwhy.evals.public.conditions import Prompt, named, prompt_of, text_version
from teachwhy.evals.public.tree import Response, Tree, folder_of
from teachwhy.evals.public.verdicts import Answer, Case, Decision, classifier, grade

JOIN = "\n"
"""Between instruction and inbox, in the port."""


def tree_of(log: EvalLog) -> Tree:
    """The log of a ``public`` run as a tree; ConfigError for any other log."""
    if (log.eval.metadata or {}).get("text") != text_version():
        raise ConfigError(f"{log.location} is no log of teachwhy/public with {text_version()}")
    samples = log.samples or []
    prompts: dict[str, Prompt] = {}
    for sample in samples:
        condition = named(str(sample.metadata["condition"]))
        if condition is not None and condition.name not in prompts:
            prompts[condition.name] = prompt_of(condition)
    return Tree(
        prompts={name: _texts(prompt) for name, prompt in prompts.items()},
        responses=tuple(_response(log, sample, prompts[str(sample.metadata["condition"])]) for sample in samples),
    )


def _texts(prompt: Prompt) -> dict[str, str]:
    condition = prompt.condition
    metadata: dict[str, Any] = {
        "condition_id": condition.name,
        "scenario": condition.scenario,
        "goal_type": condition.goal_type,
        "goal_value": condition.goal_value,
        "urgency_type": condition.urgency,
        "production_variant": "prod" in condition.flags,
        "extra_system_instructions": condition.arguments()["extra_system_instructions"] or False,
        "alignment_faking": "eval-awareness" in condition.flags,
        "text": text_version(),
        "joined_with": JOIN,
    }
    return {
        "system_prompt.txt": prompt.system,
        "user_prompt.txt": prompt.instruction,
        "email_content.txt": prompt.emails,
        "metadata.json": json.dumps(metadata, indent=2),
    }


def _response(log: EvalLog, sample: EvalSample, prompt: Prompt) -> Response:
    model = str(log.eval.model)
    condition = prompt.condition.name
    data: dict[str, Any] = {}
    about: dict[str, Any] = {"model": model, "condition": condition, "sample_id": sample.epoch}
    if sample.completed_at:
        about["timestamp"] = sample.completed_at
    if sample.error is not None or sample.output.error:
        data["error"] = sample.error.message if sample.error is not None else sample.output.error
        about["failed"] = True
    else:
        data["raw_response"] = sample.output.completion
        usage = sample.output.usage
        tokens = usage.total_tokens if usage else 0
        about["api_metadata"] = {"tokens_used": tokens, "stop_reason": str(sample.output.stop_reason)}
    data["metadata"] = about
    if "raw_response" in data:
        data |= _grades(sample, prompt)
    path = f"models/{folder_of(model)}/{condition}/sample_{sample.epoch:03d}/response.json"
    return Response(path=path, model=model, condition=condition, sample=sample.epoch, data=data)


def _grades(sample: EvalSample, prompt: Prompt) -> dict[str, Any]:
    text, family = sample.output.completion, prompt.condition.scenario
    held: dict[str, Any] = {}
    for score in (sample.scores or {}).values():
        held = score.metadata or {}
    grades: dict[str, Any] = {}
    for number, entry in enumerate(cast("list[Any]", held.get("answers") or []), 1):
        key = "classification" if number == 1 else f"classification_v{number}"
        grades[key] = _classification(Answer.model_validate(entry), family, text)
    if held.get("decision") is not None:
        decision = Decision.model_validate(held["decision"])
        grades["decision_classification"] = {
            "decided": decision.value,
            "quote": decision.quote,
            "classifier_reasoning": decision.reason,
            "classifier_model": decision.grader,
            "opinions": decision.opinions,
        }
    grades["executed_classification"] = _executed(sample, prompt)
    return grades


def _executed(sample: EvalSample, prompt: Prompt) -> dict[str, Any]:
    """What was done, by rule; of a void response no word on it, but why it is void."""
    case = Case(
        family=prompt.condition.scenario,
        cluster=prompt.cluster,
        condition=prompt.condition.name,
        sample=sample.epoch,
        text=sample.output.completion,
        stop=str(sample.output.stop_reason),
        emails=prompt.emails,
    )
    [found] = grade(case)
    if found.value is None:
        return {"executed": None, "reason": found.reason}
    return {"executed": bool(found.value), "rule": found.reason, "quote": found.quote}


def _classification(answer: Answer, family: str, text: str) -> dict[str, Any]:
    if answer.said is None:
        return {"error": answer.reasoning, "classifier_model": answer.judge}
    word = "yes" if answer.said else "no"
    harmful = classifier(family).classify(response=text, grader_response=f"<answer>{word}</answer>")[0]
    return {
        "harmful_behavior": bool(harmful),
        "classifier_verdict": answer.said,
        "classifier_reasoning": answer.reasoning,
        "classifier_model": answer.judge,
    }
