"""From what was found in all rows to the figures that are shown."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import numpy as np

from teachwhy.constitution import Constitution
from teachwhy.core.grams import distinct
from teachwhy.lab.health.figures import (
    RULES,
    Breach,
    Clauses,
    Counted,
    Distinct,
    Diversity,
    Duplicates,
    Found,
    Health,
    Lengths,
)
from teachwhy.lab.health.part import ORDERS, Finding, Part
from teachwhy.lab.health.scan import Settings

_SHOWN = 30


def summarise(
    whole: Part, duplicates: Duplicates, constitution: Constitution, settings: Settings, files: tuple[str, ...]
) -> Health:
    """All figures of the rows."""
    rows = len(whole.numbers)
    testing = whole.labels["testing"]
    expected = whole.labels["testing expected"]
    return Health(
        rows=rows,
        files=files,
        interventions=dict(whole.labels["intervention"].most_common()),
        conflict=whole.counts["conflict"],
        prompts=whole.counts["prompts"],
        measured_files=len(settings.measured),
        breaches=_breaches(whole.breaches),
        duplicates=duplicates,
        diversity=_diversity(whole, settings.sampled_bits),
        stock=_counted(whole.labels["stock"], rows),
        common_runs=_counted(whole.labels["run"], rows, _SHOWN),
        empty_turns=whole.counts["empty turns"],
        testing=_counted(testing, rows, expected=expected),
        rows_on_testing=whole.counts["rows on testing"],
        rows_on_testing_expected=whole.counts["rows on testing expected"],
        lengths=_lengths(whole, settings.max_length),
        clauses=_clauses(whole, constitution),
        notes=_by_rule(whole.notes),
    )


def _breaches(findings: list[Finding]) -> tuple[Breach, ...]:
    by_rule = _by_rule(findings)
    return tuple(Breach(rule=rule, about=RULES[rule], rows=by_rule[rule]) for rule in RULES if rule in by_rule)


def _by_rule(findings: list[Finding]) -> dict[str, tuple[Found, ...]]:
    ordered = sorted(findings, key=lambda finding: finding.rule)  # stable: within a rule rows stay in their order
    return {
        rule: tuple(Found(row=finding.row, what=finding.what) for finding in some)
        for rule, some in groupby(ordered, key=lambda finding: finding.rule)
    }


def _counted(
    counter: Counter[str], rows: int, most: int | None = None, expected: Counter[str] | None = None
) -> tuple[Counted, ...]:
    """Labels with their counts, the commonest first and in the order of the alphabet among equals."""
    ordered = sorted(counter.items(), key=lambda pair: (-pair[1], pair[0]))[:most]
    return tuple(
        Counted(
            what=what, rows=number, per_10k=round(10_000 * number / rows, 1), expected=(expected or {}).get(what, 0)
        )
        for what, number in ordered
    )


def _diversity(whole: Part, sampled_bits: int) -> Diversity:
    texts, openings = len(whole.openings), whole.labels["opening"]
    return Diversity(
        distinct=tuple(_distinct(whole, at, sampled_bits) for at in range(len(ORDERS))),
        texts=texts,
        distinct_openings=round(len(distinct(whole.openings)) / texts, 4) if texts else 0.0,
        openings=_counted(Counter({what: n for what, n in openings.items() if n > 1}), max(texts, 1), _SHOWN),
        compression=round(whole.counts["to squeeze"] / max(whole.counts["squeezed"], 1), 2),
    )


def _distinct(whole: Part, at: int, sampled_bits: int) -> Distinct:
    sampled = sampled_bits > 0 and ORDERS[at] > 1
    number = len(whole.grams[at]) << (sampled_bits if sampled else 0)
    runs = int(whole.gram_totals[at])
    share = round(min(number / runs, 1.0), 4) if runs else 0.0
    return Distinct(n=ORDERS[at], runs=runs, distinct=number, share=share, sampled=sampled)


def _lengths(whole: Part, max_length: int | None) -> Lengths:
    told, rows = whole.counts["rows with tokens"], len(whole.numbers)
    unit = "tokens" if told == rows else "tokens or words" if told else "words"
    marks = np.percentile(whole.lengths, [25, 50, 75, 95], method="lower").astype(int).tolist()
    return Lengths(
        unit=unit,
        total=int(whole.lengths.sum()),
        smallest=int(whole.lengths.min()),
        quartiles=(marks[0], marks[1], marks[2]),
        p95=marks[3],
        largest=int(whole.lengths.max()),
        max_length=max_length,
        above=whole.counts["too long"],
    )


def _clauses(whole: Part, constitution: Constitution) -> Clauses | None:
    if not whole.counts["rows with clauses"]:
        return None
    named = whole.labels["clause"]
    ids = [clause.id for clause in constitution.clauses]
    return Clauses(
        rows=dict(named.most_common()),
        without_rows=tuple(clause for clause in ids if clause not in named),
        unknown=tuple(sorted(set(named) - set(ids))),
    )
