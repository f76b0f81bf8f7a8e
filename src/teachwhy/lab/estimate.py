"""What a build would take, before anything is spent: calls, tokens and money, roughly."""

from __future__ import annotations

from rich.table import Table

from teachwhy.interventions import Step
from teachwhy.interventions.writers import Prompt
from teachwhy.lab.build import Request


def estimate(request: Request) -> Table | str:
    """For the whole budget, stage by stage: the model, and calls, tokens and dollars; for the library a line."""
    order, intervention, roles = request.order, request.intervention, request.roles
    rows = max(1, round(order.tokens / intervention.row_tokens))
    title = f"{request.name}: about {rows} rows for {order.tokens} tokens"
    if roles is None:
        return f"{title}, from the library: no call is made"
    table = Table(title=title, box=None)
    for head in ("stage", "model", "calls", "reads", "writes", "dollars"):
        table.add_column(head, justify="left" if head in ("stage", "model") else "right")
    sums = [0, 0, 0]
    dollars = 0.0
    for step in intervention.steps:
        prompt = intervention.prompts.get(step.name)
        calls = _calls(step, request, rows)
        if prompt is None or not calls:
            continue
        binding = roles.of(prompt.role)
        spent = _spent(prompt, calls)
        cost = binding.price.of(*spent) if binding.price else 0.0
        dollars += cost
        sums = [total + one for total, one in zip(sums, (calls, *spent), strict=True)]
        table.add_row(step.name, binding.model, str(calls), *map(str, spent), f"{cost:.2f}" if binding.price else "?")
    table.add_row("in all", "", *map(str, sums), f"{dollars:.2f}" if roles.priced() else "?")
    return table


def _calls(step: Step, request: Request, rows: int) -> int:
    return round(step.calls * rows) if step.taken(request.order) else 0


def _spent(prompt: Prompt, calls: int) -> tuple[int, int]:
    return calls * prompt.reads, calls * prompt.writes
