"""The health of rows on a console: what is wrong first, in plain words, then the figures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from teachwhy.lab.health.duplicates import SIMILAR
from teachwhy.lab.health.figures import Counted, Duplicates, Health

_NAMED = 5
_SHOWN = 12
_EXCERPT = 1500
_STEPS = "smallest", "25%", "median", "75%", "95%", "largest"


def show(health: Health, console: Console) -> None:
    """Print everything but what only the JSON file holds."""
    _show_breaches(health, console)
    for line in _plain(health):
        console.print(escape(line), highlight=False)
    _show_duplicates(health.duplicates, console)
    _show_diversity(health, console)
    _show_counted("stock phrases", health.stock, console)
    _show_counted("commonest runs of four words", health.common_runs, console)
    _show_testing(health, console)
    _show_lengths(health, console)
    _show_clauses(health, console)
    for text in health.preview:
        console.print(f"\n{escape(text[:_EXCERPT])}{' …' if len(text) > _EXCERPT else ''}", highlight=False)


def _show_breaches(health: Health, console: Console) -> None:
    if health.fit:
        console.print(
            f"[bold green]fit to train on[/] by the hard rules; {health.measured_files} measured files compared"
        )
        return
    console.print("[bold red]not fit to train on[/]")
    for breach in health.breaches:
        console.print(f"[bold]rows that {breach.about}: {len(breach.rows)}[/]", highlight=False)
        for found in breach.rows[:_NAMED]:
            console.print(f"  {escape(found.row)}: {escape(found.what)}", highlight=False)
        if len(breach.rows) > _NAMED:
            console.print(f"  and {len(breach.rows) - _NAMED} more; --json FILE lists all")
    console.print()


def _plain(health: Health) -> Iterator[str]:
    total = f"{health.lengths.total} {health.lengths.unit}"
    kinds = ", ".join(f"{name} {number}" for name, number in health.interventions.items())
    yield f"{health.rows} rows, {total}{f': {kinds}' if kinds else ''}"
    if health.conflict:
        yield (
            f"rows that contradict the constitution on purpose (intervention 'conflict'): {health.conflict}; for "
            "stress tests only, never to be mixed in unmarked"
        )
    if health.prompts:
        yield f"prompts for reinforcement learning, which have nothing to train on by themselves: {health.prompts}"
    if health.empty_turns:
        yield f"turns of the assistant without words or a call: {health.empty_turns}"


def _show_duplicates(duplicates: Duplicates, console: Console) -> None:
    table = _table("duplicates", "", "groups", "rows that could go", "largest group")
    exact = duplicates.exact_groups
    table.add_row("exact", str(len(exact)), str(duplicates.exact_surplus), str(max(map(len, exact), default=0)))
    near = duplicates.near_groups, duplicates.near_surplus, duplicates.largest_near_group
    table.add_row("near", *map(str, near))
    console.print(table)
    console.print(
        f"  near: {SIMILAR} of the runs of five words in common, system prompt and tools left out", highlight=False
    )
    for group in exact[:_NAMED]:
        console.print(
            f"  same: {escape(', '.join(group[:_NAMED]))}{' …' if len(group) > _NAMED else ''}", highlight=False
        )
    for pair in duplicates.near_pairs[:_NAMED]:
        console.print(f"  {pair.similarity:.2f}: {escape(pair.first)}, {escape(pair.second)}", highlight=False)


def _show_diversity(health: Health, console: Console) -> None:
    diversity = health.diversity
    table = _table("diversity of what is trained on", "", "")
    for one in diversity.distinct:
        about = "estimated " if one.sampled else ""
        table.add_row(f"distinct-{one.n}", f"{one.share:.4f} ({about}{one.distinct} of {one.runs})")
    table.add_row("distinct openings", f"{diversity.distinct_openings:.4f} of {diversity.texts} texts")
    table.add_row("compression", f"{diversity.compression:.2f} to 1")
    console.print(table)
    _show_counted("commonest openings", diversity.openings, console, "texts")


def _show_counted(title: str, counted: Sequence[Counted], console: Console, what: str = "rows") -> None:
    if not counted:
        return
    table = _table(title, "", what, f"in 10,000 {what}")
    for one in counted[:_SHOWN]:
        table.add_row(escape(one.what), str(one.rows), f"{one.per_10k:.1f}")
    console.print(table)


def _show_testing(health: Health, console: Console) -> None:
    if not health.rows_on_testing:
        return
    meant = health.rows_on_testing_expected
    table = _table("mentions of testing", "", "rows", "expected")
    for one in health.testing[:_SHOWN]:
        table.add_row(escape(one.what), str(one.rows), str(one.expected))
    console.print(table)
    expected = f", {meant} of them as expected (intervention 'eval_description')" if meant else ""
    console.print(f"  rows that speak of tests or evaluations: {health.rows_on_testing}{expected}", highlight=False)
    for found in health.notes.get("testing", ())[:_NAMED]:
        console.print(f"  {escape(found.row)}: {escape(found.what)}", highlight=False)


def _show_lengths(health: Health, console: Console) -> None:
    lengths = health.lengths
    table = _table(f"length in {lengths.unit}", *_STEPS)
    table.add_row(*map(str, (lengths.smallest, *lengths.quartiles, lengths.p95, lengths.largest)))
    console.print(table)
    if lengths.max_length is not None:
        longest = ", ".join(f"{found.row} ({found.what})" for found in health.notes.get("too long", ())[:_NAMED])
        named = f", such as {longest}" if longest else ""
        console.print(f"  rows above {lengths.max_length}: {lengths.above}{escape(named)}", highlight=False)


def _show_clauses(health: Health, console: Console) -> None:
    clauses = health.clauses
    if clauses is None:
        return
    table = _table("clauses", "", "rows")
    for clause, number in clauses.rows.items():
        table.add_row(escape(clause), str(number))
    console.print(table)
    if clauses.without_rows:
        console.print(f"  no rows: {escape(', '.join(clauses.without_rows))}", highlight=False)
    if clauses.unknown:
        console.print(f"  not in the constitution: {escape(', '.join(clauses.unknown))}", highlight=False)


def _table(title: str, *heads: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, show_header=any(heads), pad_edge=True)
    for at, head in enumerate(heads):
        table.add_column(head, justify="left" if at == 0 and not head else "right")
    return table
