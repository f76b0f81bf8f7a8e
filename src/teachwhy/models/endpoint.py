"""A model behind the OpenAI protocol on this machine: ``python -m teachwhy.models.endpoint MODEL [--port 8000]``.

``MODEL`` is any model that Inspect can open, ``teachwhy/<checkpoint>`` among them. Chat completions alone, no
streaming; it listens on the loopback interface and asks for no key.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageTool,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.tool import ToolCall, ToolInfo, ToolParams
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PATH = "/v1/chat/completions"
_STOPS = {"max_tokens": "length", "model_length": "length"} | {stop: stop for stop in ("tool_calls", "content_filter")}

Answering = Callable[[dict[str, Any]], Awaitable[Response]]
"""From the body of a request to the response."""


def make_app(answer: Answering) -> Starlette:
    """The endpoint as an ASGI application."""

    async def chat(request: Request) -> Response:
        return await answer(json.loads(await request.body()))

    return Starlette(routes=[Route(PATH, chat, methods=["POST"])])


def answer_with(model: Model, delay: float = 0.0) -> Answering:
    """Answers of a model, each after ``delay`` seconds."""

    async def answer(body: dict[str, Any]) -> Response:
        offered: list[Any] = body.get("tools") or []
        config = GenerateConfig(
            temperature=body.get("temperature"),
            top_p=body.get("top_p"),
            max_tokens=body.get("max_tokens") or body.get("max_completion_tokens"),
            seed=body.get("seed"),
        )
        messages = [_message(entry) for entry in body["messages"]]
        tools = [_tool(entry["function"]) for entry in offered]
        # the provider itself: retries and limits are the caller's
        _, made = await asyncio.gather(asyncio.sleep(delay), model.api.generate(messages, tools, "auto", config))
        output = made[0] if isinstance(made, tuple) else made
        if isinstance(output, Exception):
            raise output
        return JSONResponse(to_completion(output, body["model"]))

    return answer


def to_completion(output: ModelOutput, name: str) -> dict[str, Any]:
    """The output as the body of a chat completion by the model ``name``."""
    choice = output.choices[0]
    message: dict[str, Any] = {"role": "assistant", "content": choice.message.text}
    if choice.message.tool_calls:
        message["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.function, "arguments": json.dumps(call.arguments)},
            }
            for call in choice.message.tool_calls
        ]
    usage = output.usage
    reads, writes = (usage.input_tokens, usage.output_tokens) if usage else (0, 0)
    return {
        "id": "chatcmpl-teachwhy",
        "object": "chat.completion",
        "created": 0,
        "model": name,
        "choices": [{"index": 0, "message": message, "finish_reason": _STOPS.get(choice.stop_reason, "stop")}],
        "usage": {"prompt_tokens": reads, "completion_tokens": writes, "total_tokens": reads + writes},
    }


def _message(entry: dict[str, Any]) -> ChatMessage:
    given: Any = entry.get("content") or ""
    content = given if isinstance(given, str) else "".join(str(part.get("text", "")) for part in given)
    role = entry["role"]
    if role in ("system", "developer"):
        return ChatMessageSystem(content=content)
    if role == "user":
        return ChatMessageUser(content=content)
    if role == "tool":
        return ChatMessageTool(content=content, tool_call_id=entry.get("tool_call_id"))
    made: list[Any] = entry.get("tool_calls") or []
    calls = [
        ToolCall(id=call["id"], function=call["function"]["name"], arguments=json.loads(call["function"]["arguments"]))
        for call in made
    ]
    return ChatMessageAssistant(content=content, tool_calls=calls or None)


def _tool(function: dict[str, Any]) -> ToolInfo:
    parameters = {key: value for key, value in function.get("parameters", {}).items() if key != "strict"}
    return ToolInfo(
        name=function["name"],
        description=function.get("description", ""),
        parameters=ToolParams.model_validate(parameters),
    )


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that every answer waits")
    given = parser.parse_args()
    app = make_app(answer_with(get_model(given.model), given.delay))
    gc.freeze()  # a collection would walk through all that the libraries hold, and every answer wait for it
    uvicorn.run(app, host="127.0.0.1", port=given.port, log_level="error", access_log=False)


if __name__ == "__main__":
    main()
