"""Whether RL learns: mean reward on held-out arithmetic before and after, from the same start, three seeds.

python benchmarks/rl.py [--model smollm2-135m] [--seeds 0 1 2] [--out FOLDER]

Tune the recipe on other seeds than those it is judged by (``--seeds 100 --learning-rate 1e-4``). Each held-out prompt
is asked as often before as after; the difference is paired by prompt. Void answers (cut off, empty) are in no mean; the
share of them stands beside it. On busy cores set ``OMP_NUM_THREADS=1``: threads that wait for one another burn it all.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from teachwhy.core.stats import Difference, Observation, paired_difference
from teachwhy.environments import Prompt, Reward, load_environment
from teachwhy.models.catalogue import SMOLLM2, resolve
from teachwhy.training.rl import check_signal, probe, sample_rewards, train_rl
from teachwhy.training.rl_recipe import RLRecipe

RECIPE = RLRecipe(
    learning_rate=2e-4, prompts_a_step=8, generations=8, max_tokens=20, steps=20, save_every=20, temperature=0.7
)
LEVEL = 0.05


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default=SMOLLM2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--learning-rate", type=float, default=RECIPE.learning_rate)
    args = parser.parse_args()
    recipe = RECIPE.model_copy(update={"steps": args.steps, "learning_rate": args.learning_rate})
    environment = load_environment("arithmetic")
    reward, held_out = environment.reward(), environment.prompts("held_out")
    print(f"{args.model}, {len(held_out)} held-out prompts, {recipe.generations} answers each; {recipe!r}")
    with tempfile.TemporaryDirectory() as scratch:
        out = args.out or Path(scratch)
        risen = [_one(resolve(args.model), seed, out / str(seed), recipe, reward, held_out) for seed in args.seeds]
    passed = all(risen)
    print(f"{'passed' if passed else 'failed'}: the reward rises significantly in {sum(risen)} of {len(risen)} seeds")
    sys.exit(not passed)


def _one(start: Path, seed: int, out: Path, recipe: RLRecipe, reward: Reward, held_out: Sequence[Prompt]) -> bool:
    train = load_environment("arithmetic").prompts("train")
    begun, spent = time.perf_counter(), time.process_time()
    signal = probe(train, reward, start, recipe, seed)
    check_signal(signal, recipe)
    before = sample_rewards(held_out, reward, start, recipe, seed)
    trained = train_rl(train, reward, start, out, recipe, seed)
    after = sample_rewards(held_out, reward, out / "steps" / str(recipe.steps) / "model", recipe, seed)
    change = paired_difference(_observed(held_out, after), _observed(held_out, before), seed)
    took, cpu = (time.perf_counter() - begun) / 60, (time.process_time() - spent) / 60
    print(
        f"seed {seed}: mixed {signal.mixed:.0%}; reward {_told(before)} -> {_told(after)}; {_shown(change)}; "
        f"KL {trained.kl:.3f}; {trained.sampler}; {took:.1f} min, {cpu:.1f} CPU min, load {os.getloadavg()[1]:.1f}",
        flush=True,
    )
    return change.value is not None and change.low > 0 and change.p < LEVEL


def _observed(prompts: Sequence[Prompt], rewards: Sequence[float | None]) -> list[Observation]:
    each = len(rewards) // len(prompts)
    return [Observation(prompts[at // each].id, value) for at, value in enumerate(rewards)]


def _told(rewards: Sequence[float | None]) -> str:
    judged = [value for value in rewards if value is not None]
    return f"{sum(judged) / max(len(judged), 1):.3f} ({1 - len(judged) / len(rewards):.0%} void)"


def _shown(change: Difference) -> str:
    value = "none" if change.value is None else f"{change.value:+.3f}"
    return f"difference {value} [{change.low:+.3f}, {change.high:+.3f}], p {change.p:.4f}, {change.clusters} prompts"


if __name__ == "__main__":
    main()
