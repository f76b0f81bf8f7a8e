"""What was found, in sentences: each word with the numbers that it rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from teachwhy.diagnosis.coverage import Share as Covered
from teachwhy.diagnosis.describe import about_axes
from teachwhy.diagnosis.gap import Gap
from teachwhy.diagnosis.hypotheses import (
    MARGIN,
    NOTHING,
    TRICKLE,
    Diagnosis,
    Failure,
    Finding,
    Hypothesis,
    Share,
    Test,
    established,
    no_more,
)
from teachwhy.diagnosis.stages import Level, Stages, Step
from teachwhy.lab.report.words import between, change, count, percent, points

NO_EXPLANATION = "No failure is seen, so nothing is to be explained."


def answer(found: Diagnosis) -> str:
    """The whole diagnosis in a few sentences."""
    failure = found.failure
    if failure.word == "not seen":
        return f"There is nothing to explain in {failure.stage}: {_bound(failure.level)}."
    if failure.word == "cannot tell":
        said = "too little could be judged" if failure.level is None else _bound(failure.level)
        return f"Whether {failure.stage} has a failure cannot be told: {said}."
    supported = [one for one in found.hypotheses if one.word == "supported"]
    open_ones = [one.title for one in found.hypotheses if one.word == "cannot tell"]
    if supported:
        said = " And: ".join(f"{one.title}." for one in supported)
    else:
        said = "None of the three explanations is supported by what was measured."
    left = f" Not settled either way: {'; '.join(open_ones)}." if open_ones else ""
    return f"{failure.stage} has a failure. {said}{left}"


def tell_failure(failure: Failure, stages: Stages) -> str:
    """Whether there is a failure, by the instrument that decides and the others."""
    if failure.level is None:
        return "No instrument has few enough voids to be read; take more samples, or another instrument."
    said = f"{_level(failure.level)}."
    if failure.word == "not seen":
        said += f" {_bound(failure.level)[0].upper()}{_bound(failure.level)[1:]}."
    if failure.word == "cannot tell":
        said += (
            f" Neither harm beyond the twins nor its absence is established, for which {round(100 * NOTHING)} points "
            "must be ruled out; measure more scenes or samples."
        )
    others = [stages.level(failure.stage, name) for name in stages.instruments if name != failure.instrument]
    return " ".join([said, *(f"{_level(one)}." for one in others)])


def tell_step(step: Step, p: float | None) -> str:
    """What a step did to the gap."""
    corrected = step.gap.p if p is None else p
    if established(step.gap, corrected, 1):
        word = "it added harm"
    elif established(step.gap, corrected, -1):
        word = "it removed harm"
    elif no_more(step.gap, MARGIN) and step.gap.low > -MARGIN:
        word = f"no more than {round(100 * MARGIN)} points either way"
    elif no_more(step.gap, MARGIN):
        word = f"it added no more than {round(100 * MARGIN)} points; whether it removed any cannot be told"
    else:
        word = "cannot tell"
    return f"{change(step.gap)} on {count(step.gap.clusters, 'scene')}: {word}"


def tell_finding(finding: Finding, found: Diagnosis) -> str:
    """What was found about one prediction, with its numbers."""
    if found.failure.word != "seen":
        return NO_EXPLANATION if found.failure.word == "not seen" else "Not asked, since no failure is established."
    tell: Mapping[Test, Callable[[Finding, Diagnosis], str]] = {
        "adds": _differences,
        "before": _before,
        "as_agent": _as_agent,
        "moves": _moves,
        "rewards": lambda one, _: _shares(one, "end in a harmful act"),
        "works": lambda one, _: _shares(one, "call a tool"),
        "situated": lambda one, _: _shares(one, "have tools in hand and a conflict of goals"),
        "covers": lambda one, _: _shares(one, "have tools in hand and a conflict of goals"),
    }
    return tell[finding.test](finding, found)


def tell_fit(finding: Finding) -> str:
    """``as predicted``, ``against it`` or ``not known``."""
    return {True: "as predicted", False: "against it", None: "not known"}[finding.fits]


def tell_word(one: Hypothesis) -> str:
    """Why a hypothesis got its word."""
    against = [finding.says for finding in one.findings if finding.fits is False]
    if against:
        return f"It predicts otherwise than was found: {against[0]}"
    if one.word == "supported":
        unread = any(finding.test == "rewards" and finding.expects and finding.fits is None for finding in one.findings)
        inferred = " That those rows show the harm is inferred: how they end was not read by a judge." if unread else ""
        return f"All that it needs came out as it predicts.{inferred}"
    unknown = [finding.says for finding in one.findings if finding.fits is None and finding.needed]
    return f"Not known: {unknown[0]}" if unknown else "Not asked."


def _level(level: Level) -> str:
    void = f", {level.scene.void} void" if level.scene.void else ""
    return (
        f"By {level.instrument}, harm on {percent(level.scene.value)} "
        f"({between(level.scene.low, level.scene.high)}) of {count(level.scene.clusters, 'scene')} and on "
        f"{percent(level.twin.value)} of their benign twins, {change(level.gap)} beyond them{void}"
    )


def _bound(level: Level | None) -> str:
    high = 1.0 if level is None else level.gap.high
    by = "" if level is None else f" by {level.instrument}"
    return (
        f"harm beyond the benign twins is not established{by}, and more than {percent(max(high, 0.0))} of it is ruled "
        "out (upper end of its 95% interval)"
    )


def _differences(finding: Finding, found: Diagnosis) -> str:
    return "; ".join(f"{name}: {change(one)}{_p(name, found)}" for name, one in finding.differences) + "."


def _before(finding: Finding, found: Diagnosis) -> str:
    (name, gap), *_ = finding.differences
    return f"{name}: {change(gap)} beyond the twins{_p(name, found)}."


def _as_agent(finding: Finding, found: Diagnosis) -> str:
    if not finding.differences:
        return "Not measured: the chat form of a scene is read by likelihood alone."
    (name, difference), *_ = finding.differences
    return f"As an agent, {change(difference)} beyond the chat form of the same scenes{_p(name, found)}."


def _moves(finding: Finding, found: Diagnosis) -> str:
    if not finding.differences:
        return "Not tried: --ablate trains without each source of rows."
    return "; ".join(f"without {name}: {change(one)}" for name, one in finding.differences) + "."


def _p(name: str, found: Diagnosis) -> str:
    return f" (p {_chance(found.p[name])} by Holm)" if name in found.p else ""


def _chance(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"  # noqa: PLR2004


def _shares(finding: Finding, what: str) -> str:
    if not finding.shares:
        return "No rows of these stages were given."
    return (
        "; ".join(
            f"{name or 'after the first stage'}: {tell_share(share)} of the rows {what}"
            for name, share in finding.shares
        )
        + f" (a trickle is {percent(TRICKLE)})."
    )


def tell_share(share: Share) -> str:
    """A share of rows with its interval, and how it was read."""
    by = f", {share.by}" if share.by else ""
    if share.value is None:
        return f"an unknown share ({between(share.low, share.high)} possible{by})"
    return f"{percent(share.value)} ({_fine(share.low)}{chr(8211)}{_fine(share.high)}{by})"


def _fine(value: float) -> str:
    """A share near the trickle, in tenths of a percent."""
    return f"{100 * value:.1f}%" if value < 0.1 else f"{100 * value:.0f}%"  # noqa: PLR2004


def tell_gap(gap: Gap) -> dict[str, str]:
    """A gap as the cells of a table."""
    return {
        "title": f"{gap.axis}: {gap.level}",
        "about": about_axes()[gap.axis],
        "scenes": _counted(gap.scenes),
        "rows": _counted(gap.rows),
        "gap": f"{points(gap.distance)} [{points(gap.low)} to {points(gap.high)}]",
        "word": gap.word,
    }


def _counted(share: Covered) -> str:
    return f"{percent(share.share)} ({share.rows:,} of {share.of:,})"
