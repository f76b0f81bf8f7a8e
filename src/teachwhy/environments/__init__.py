"""What reinforcement learning is done on: Inspect tasks, by name or any other with a scorer."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from teachwhy.environments.arithmetic.task import arithmetic
from teachwhy.environments.environment import Environment, Prompt, Reward
from teachwhy.environments.harmless.task import harmless
from teachwhy.environments.loading import find_task
from teachwhy.environments.scoring import BOTH

ENVIRONMENTS: Mapping[str, Environment] = {
    "arithmetic": Environment(
        "arithmetic", "sums, differences, products: a capability", partial(arithmetic, split=BOTH)
    ),
    "harmless": Environment(
        "harmless", "declines what is harmful, helps with what only looks so", partial(harmless, split=BOTH)
    ),
}
"""Every environment that comes with this package."""


def load_environment(name: str) -> Environment:
    """One of ENVIRONMENTS, or any Inspect task with a scorer: ``package/task`` or ``file.py@task``.

    Raises ConfigError when there is no such task, it does not load, has no scorer or no samples, or needs a sandbox.
    """
    environment = ENVIRONMENTS.get(name.removeprefix("teachwhy/"))
    if environment is None:
        environment = Environment(name, f"the Inspect task {name}", find_task(name, ENVIRONMENTS))
    _ = environment.opened
    return environment


__all__ = ["ENVIRONMENTS", "Environment", "Prompt", "Reward", "load_environment"]
