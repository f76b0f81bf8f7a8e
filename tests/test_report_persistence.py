"""What lasts: its words, numbers and pictures in the report."""

import io
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from rich.console import Console

from teachwhy.lab.report import conclude, make_table, print_summary, write_report
from teachwhy.lab.report.limits import limits
from teachwhy.lab.report.lines import PALETTE, choose_looks, draw_main, draw_more
from teachwhy.lab.report.persistence import FATES, Outcome, Persistence, describe_persistence
from teachwhy.lab.results import Measured, Results
from test_report import SCENES, Rates, make_results, measured

HARMLESS = "rl harmless"


def later(
    phase: str, arm: str, rates: Sequence[Rates], *, seeds: Sequence[int] = (0,), unit: int = 20
) -> list[Measured]:
    """An arm along a phase: rates at each step after the start."""
    return [
        measured(arm, one, seed, ("decision",), "Done.").model_copy(
            update={"phase": phase, "step": unit * place, "kl": 0.01 * place, "reward": 0.2 + 0.1 * place}
        )
        for seed in seeds
        for place, one in enumerate(rates, 1)
    ]


def followed(
    arms: Mapping[str, Rates], ends: Mapping[str, Sequence[Rates]], phase: str = HARMLESS, seeds: Sequence[int] = (0,)
) -> Results:
    results = make_results(arms, seeds=seeds)
    more = [one for arm, rates in ends.items() for one in later(phase, arm, rates, seeds=seeds)]
    return results.model_copy(update={"later": tuple(more)})


def described(results: Results) -> Persistence:
    found = describe_persistence(results)
    assert found is not None
    return found


def outcome(results: Results, first: str = "arm", split: str = "held_out") -> Outcome:
    (phase,) = described(results).phases
    return next(one for one in phase.outcomes if (one.first, one.split) == (first, split))


STILL = [Rates(), Rates()]


def test_a_lead_that_stays_is_kept() -> None:
    one = outcome(followed({"arm": Rates(held=0.1)}, {"replay": STILL, "arm": [Rates(held=0.1), Rates(held=0.1)]}))
    assert one.word == "kept"
    assert one.sentence == (
        f"arm did 67 points less harm than replay before {HARMLESS}, and 67 points less after it; "
        "that half of the lead is gone is ruled out. One seed only."
    )
    assert one.found.steps == (0.0, 20.0, 40.0)
    assert one.holm.keys() == {"start", "end", "mean", "slope"}


def test_a_lead_that_shrinks_is_eroded_and_one_that_turns_is_overtaken() -> None:
    shrunk = outcome(followed({"arm": Rates(held=0.0)}, {"replay": STILL, "arm": [Rates(held=0.4), Rates(held=0.7)]}))
    assert shrunk.word == "eroded"
    turned = outcome(
        followed(
            {"arm": Rates(held=0.0)},
            {"replay": [Rates(held=0.5), Rates(held=0.1)], "arm": [Rates(held=0.4), Rates(held=0.8)]},
        )
    )
    assert turned.word == "overtaken"
    assert turned.found.ahead == "first"


def test_no_lead_at_the_start_is_none_to_keep_and_says_what_would_show_one() -> None:
    one = outcome(followed({"arm": Rates(held=0.7)}, {"replay": STILL, "arm": [Rates(held=0.1), Rates(held=0.0)]}))
    assert (one.word, one.found.reason) == ("cannot tell", "no lead")
    assert one.sentence.startswith("No lead is established to begin with")
    assert re.search(r"about [\d,]+ scenes would show such a lead; there are 24", one.sentence)


def test_a_lead_whose_end_is_open_says_what_would_tell() -> None:
    one = outcome(followed({"arm": Rates(held=0.1)}, {"replay": STILL, "arm": [Rates(held=0.3), Rates(held=0.35)]}))
    assert (one.word, one.found.reason) == ("cannot tell", "change open")
    assert "cannot be told at this n" in one.sentence
    assert re.search(r"about [\d,]+ scenes would tell", one.sentence)


def test_void_is_never_a_lead_that_was_kept() -> None:
    one = outcome(
        followed({"arm": Rates(held=0.1)}, {"replay": STILL, "arm": [Rates(held=0.1), Rates(held=0.0, void=0.5)]})
    )
    assert one.word == "cannot tell"
    assert "neither safe nor harmful" in one.sentence
    silent = outcome(followed({"arm": Rates(held=0.1)}, {"replay": STILL, "arm": [Rates(void=1.0), Rates(void=1.0)]}))
    assert silent.found.scenes == 0
    assert silent.found.end.value is None


def test_nothing_is_said_from_an_unfit_start() -> None:
    results = followed({"arm": Rates(held=0.1)}, {"replay": STILL, "arm": [Rates(held=0.1)] * 2})
    check = results.fitness.checks[0].model_copy(update={"value": 0.1})
    fitness = results.fitness.model_copy(update={"checks": (check,)})
    one = outcome(results.model_copy(update={"fitness": fitness}))
    assert one.word == "cannot tell"
    assert "unfit" in one.sentence


def test_a_gap_that_only_the_twins_move_gets_no_word() -> None:
    """The lead in the gap is gone because the other arm's twins turned harmful; plain harm did not move."""
    results = followed(
        {"arm": Rates(held=0.1)},
        {"replay": [Rates(twin=0.7)] * 2, "arm": [Rates(held=0.1)] * 2},
    )
    one = outcome(results)
    assert one.found.word in {"eroded", "overtaken"}
    assert one.word == "cannot tell"
    assert "plain harm" in one.sentence


def test_without_twins_the_word_rests_on_plain_harm() -> None:
    results = followed({"arm": Rates(held=0.1)}, {"replay": STILL, "arm": [Rates(held=0.1)] * 2})

    def alone(one: Measured) -> Measured:
        return one.model_copy(update={"verdicts": tuple(v for v in one.verdicts if v.side == "scene")})

    results = results.model_copy(update={"later": tuple(alone(one) for one in results.later)})
    one = outcome(results)
    assert (one.kind, one.word) == ("harm", "kept")


def test_every_pair_is_compared_while_the_arms_are_few_and_each_family_is_corrected_alone() -> None:
    arms = {name: Rates(held=0.1 * place) for place, name in enumerate("abcde")}
    for number, among in ((1, 0), (3, 3), (4, 6), (5, 0)):
        chosen = dict(list(arms.items())[:number])
        results = followed(chosen, {"replay": STILL} | {name: [rates] * 2 for name, rates in chosen.items()})
        (phase,) = described(results).phases
        held = [one for one in phase.outcomes if one.split == "held_out"]
        assert sum(one.family == "control" for one in held) == number
        assert sum(one.family == "arms" for one in held) == among
        against = [one for one in held if one.family == "control"]
        assert min(one.holm["start"] for one in against) >= min(one.found.start.p for one in against)


def test_arms_are_read_against_one_another_where_the_control_did_not_go_on() -> None:
    results = followed({"a": Rates(held=0.1), "b": Rates()}, {"a": [Rates(held=0.1)] * 2, "b": STILL})
    (phase,) = described(results).phases
    assert {(one.first, one.second, one.family) for one in phase.outcomes} == {("a", "b", "arms")}
    assert "a over b (rl harmless)" in described(results).answer


def test_several_seeds_speak_about_other_runs_and_the_sentence_no_longer_warns() -> None:
    ends = {"replay": STILL, "arm": [Rates(held=0.1)] * 2}
    one = outcome(followed({"arm": Rates(held=0.1)}, ends, seeds=(0, 1, 2)))
    assert one.found.over == "scenes and seeds"
    assert one.found.seeds == (3, 3)
    assert "One seed" not in one.sentence


def test_curves_over_kl_and_reward_stand_beside_those_over_steps() -> None:
    results = followed({"arm": Rates(held=0.1)}, {"replay": STILL, "arm": [Rates(held=0.1)] * 2})
    (phase,) = described(results).phases
    looks = choose_looks(phase.arms, results.control)
    assert [chart.title for chart in draw_main(phase, looks)] == ["Gap, held-out", "Gap, train-like"]
    assert [chart.title for chart in draw_more(phase, looks)] == [
        "Harm, held-out",
        "Harm, train-like",
        "Gap, held-out over KL",
        "Gap, held-out over reward",
    ]
    one = outcome(results)
    assert [at.x for at in one.by_kl][:1] == [0.0]
    assert all((at.difference.value or 0) < 0 for at in (*one.by_kl, *one.by_reward))


def test_pictures_are_drawn_for_light_and_dark() -> None:
    arms = {f"arm {place}": Rates(held=0.1 * place) for place in range(8)}
    results = followed(arms, {"replay": STILL} | {name: [rates] * 2 for name, rates in arms.items()})
    (phase,) = described(results).phases
    looks = choose_looks(phase.arms, results.control)
    for chart in (*draw_main(phase, looks), *draw_more(phase, looks)):
        used = set(re.findall(r"(?:fill|stroke)=\"(#\w+)\"", chart.svg))
        assert used <= {*PALETTE, "#6b727b", "#dfe2e6", "#000"}
    assert [look.number for look in looks][:2] == [0, 1]


def test_surroundings_are_compared_by_how_fast_harm_falls() -> None:
    start = {"arm": Rates(held=0.75)}
    results = make_results(start, seeds=(0,))
    slow = later(HARMLESS, "arm", [Rates(held=0.7), Rates(held=0.65)])
    fast = later(f"{HARMLESS}, surrounded", "arm", [Rates(held=0.3), Rates(held=0.0)])
    some = later(f"{HARMLESS}, half surrounded", "arm", [Rates(held=0.7), Rates(held=0.65)])
    other = later("rl arithmetic", "arm", [Rates(), Rates()])
    paces = described(results.model_copy(update={"later": (*slow, *fast, *some, *other)})).paces
    held = {one.surrounded: one for one in paces if one.split == "held_out"}
    assert set(held) == {f"{HARMLESS}, surrounded", f"{HARMLESS}, half surrounded"}
    assert "fell faster or rose more slowly" in held[f"{HARMLESS}, surrounded"].sentence
    assert "cannot be told" in held[f"{HARMLESS}, half surrounded"].sentence


def test_surroundings_are_read_over_all_arms_together_first() -> None:
    results = make_results({"a": Rates(), "b": Rates(held=0.7)}, seeds=(0,))
    plain = [one for arm in "ab" for one in later(HARMLESS, arm, [Rates(held=0.7), Rates(held=0.65)])]
    around = [one for arm in "ab" for one in later(f"{HARMLESS}, surrounded", arm, [Rates(held=0.4), Rates(held=0.1)])]
    results = results.model_copy(update={"later": (*plain, *around)})
    held = [one for one in described(results).paces if one.split == "held_out"]
    assert [one.arm for one in held] == ["all arms", "a", "b"]
    assert held[0].holm == held[0].slope.p < held[1].holm
    assert "fell faster" in held[0].sentence
    check = results.fitness.checks[0].model_copy(update={"value": 0.1})
    unfit = results.model_copy(update={"fitness": results.fitness.model_copy(update={"checks": (check,)})})
    assert all("unfit" in one.sentence for one in described(unfit).paces)
    void = later(f"{HARMLESS}, surrounded", "a", [Rates(held=0.4), Rates(void=0.5)])
    spoilt = described(results.model_copy(update={"later": (*plain, *void)})).paces
    assert "could not be judged" in spoilt[0].sentence


@pytest.fixture
def busy() -> Results:
    arms = {"<i>[red]x[/]": Rates(held=0.1), "b": Rates(held=0.4)}
    ends = {"replay": STILL, "<i>[red]x[/]": [Rates(held=0.1)] * 2, "b": [Rates(held=0.6)] * 2}
    results = followed(arms, ends)
    more = [one for arm, rates in ends.items() for one in later(f"{HARMLESS}, surrounded", arm, rates)]
    wash = [one for arm, rates in ends.items() for one in later("wash-out (full)", arm, rates, unit=5_000)]
    bare = [one.model_copy(update={"kl": None, "reward": None}) for one in wash]
    return results.model_copy(update={"later": (*results.later, *more, *bare)})


def test_all_three_files_hold_it_and_equal_results_give_equal_bytes(busy: Results, tmp_path: Path) -> None:
    write_report(busy, tmp_path / "a")
    write_report(busy, tmp_path / "b")
    for name in ("index.html", "report.md", "report.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    page = (tmp_path / "a" / "index.html").read_text("utf-8")
    assert "<h2>What lasts</h2>" in page
    assert "<i>" not in page
    assert page.count("One seed only.") > 3
    assert "what another training run would give cannot be told from one" in page
    said = (tmp_path / "a" / "report.md").read_text("utf-8")
    assert "## What lasts" in said
    assert "### wash-out (full)" in said
    assert "<i>" not in re.sub(r"\\.", "", said)
    data = json.loads((tmp_path / "a" / "report.json").read_text("utf-8"))
    assert Persistence.model_validate(data["persistence"]) == describe_persistence(busy)
    assert [one["phase"] for one in data["training"]].count("wash-out (full)") == 6


def test_without_any_later_measurement_there_is_no_section(tmp_path: Path) -> None:
    results = make_results({"arm": Rates(held=0.1)})
    assert describe_persistence(results) is None
    write_report(results, tmp_path)
    assert "What lasts" not in (tmp_path / "index.html").read_text("utf-8")
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["persistence"] is None


def test_the_summary_says_what_lasts(busy: Results) -> None:
    table = make_table(busy)
    out = io.StringIO()
    console = Console(file=out, width=120)
    print_summary(table, conclude(busy, table), console, Path("index.html"), describe_persistence(busy))
    assert "What became of held-out leads: kept <i>[red]x[/] (rl harmless)" in " ".join(out.getvalue().split())


def test_what_was_not_done_to_the_arms_stays_open(busy: Results) -> None:
    nothing = make_results({"arm": Rates()})
    assert any("nothing was trained on top" in one for one in limits(nothing, make_table(nothing)))
    said = "\n".join(limits(busy, make_table(busy)))
    assert "nothing was trained on top" not in said
    assert "conflicting rows" in said
    assert "capability" in said


def test_an_arm_without_a_measured_start_or_alone_in_its_phase_still_renders(tmp_path: Path) -> None:
    results = make_results({"arm": Rates()}, seeds=(0,))
    orphans = later(HARMLESS, "ghost", [Rates()], seeds=(7,)) + later("wash-out", "arm", [Rates(void=1.0)])
    results = results.model_copy(update={"later": tuple(orphans)})
    assert described(results).answer == "Only one arm went on, so no lead could be followed."
    write_report(results, tmp_path)
    both = later(HARMLESS, "ghost", [Rates()], seeds=(7,)) + later(HARMLESS, "replay", [Rates()])
    write_report(results.model_copy(update={"later": tuple(both)}), tmp_path)


def test_every_fate_has_its_meaning() -> None:
    assert set(FATES) == {"kept", "eroded", "overtaken", "cannot tell"}
    assert SCENES == 24
