"""Opens and measures the stages that are diagnosed; what was measured before is read, not measured again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from teachwhy.core.errors import ConfigError, guess
from teachwhy.core.records import Instrument, Record, Verdict
from teachwhy.core.store import Store, read_lines
from teachwhy.evals.evaluation import Plan
from teachwhy.lab.diagnose.asked import Asked
from teachwhy.lab.measure import HONEYPOTS, VERDICTS, Progress, key_of, measure, open_target
from teachwhy.lab.organism import open_stage
from teachwhy.lab.stages import Checkpoint, check_built, measure_stage, weights_key
from teachwhy.models.catalogue import MODELS, resolve
from teachwhy.organisms import ORGANISMS, STAGES, find_stage

EVALS = (HONEYPOTS,)
OURS = "teachwhy/"
NAME_AXIS = ("neutral", "random-1", "random-2", "random-3")
OWN_NAME = "own"


class Stage(Record):
    """A stage of training as a model that can be measured."""

    name: str
    given: str
    """The model as it was named."""
    model: str
    """As Inspect names it; empty for weights of ours, which are opened by their folder."""

    @property
    def trainable(self) -> bool:
        """Whether it is weights on this machine, that can be trained on."""
        return not self.model


def open_stages(asked: Asked) -> list[Stage]:
    """Every stage, its model known to exist. Raises ConfigError or ModelError in one line; nothing is written."""
    return [_read(name, given) for name, given in asked.stages.items()]


def _read(name: str, given: str) -> Stage:
    local = given.removeprefix(OURS)
    if given.partition(":")[0] in ORGANISMS:
        check_built(*find_stage(given))
    elif given.startswith(OURS) or given in MODELS or Path(given).expanduser().is_dir():
        resolve(local)
    elif "/" in given and not given.startswith((".", "/", "~")):
        open_target(given).api.close()
        return Stage(name=name, given=given, model=given)
    else:
        known = [*STAGES, *MODELS]
        raise ConfigError(
            f"--stage {name}: no model {given!r}: no folder, no name of ours, no provider/model; {guess(given, known)}"
        )
    return Stage(name=name, given=given, model="")


def checkpoint_of(stage: Stage, store: Store) -> Checkpoint:
    """The weights of a stage that has some here."""
    if stage.given.partition(":")[0] in ORGANISMS:
        return open_stage(stage.given, store)
    folder = resolve(stage.given.removeprefix(OURS)).resolve()
    return Checkpoint(folder=folder, key=weights_key(folder))


def plan_of(asked: Asked, stages: Sequence[Stage]) -> Plan:
    """How every stage is measured. Where no instrument was named: by decision, and by likelihood where all tell one."""
    if not asked.any_instrument:
        return asked.plan
    by: tuple[Instrument, ...] = ("decision", "likelihood") if all(map(_tells_likelihood, stages)) else ("decision",)
    return asked.plan.model_copy(update={"instruments": by})


def with_names(plan: Plan) -> Plan:
    """The same under other names of the agent; under its own where it is told."""
    own = () if plan.model_name == Plan().model_name else (OWN_NAME,)
    return plan.model_copy(update={"axes": {**plan.axes, "name": (*own, *NAME_AXIS)}})


def measure_model(
    store: Store, stage: Stage, plan: Plan, progress: Progress | None = None
) -> tuple[tuple[Verdict, ...], str]:
    """The verdicts of one stage, and the key that stands for all they depend on."""
    if stage.trainable:
        done = measure_stage(store, stage.name, checkpoint_of(stage, store), EVALS, plan, progress)
    else:
        inputs: Mapping[str, str] = {"model": stage.model, "measured": key_of(EVALS, plan)}

        def work(folder: Path) -> None:
            measure(open_target(stage.model), EVALS, plan, folder, progress)

        done = store.stage(f"measure-{stage.name}", inputs, work)
    return tuple(read_lines(done.folder / VERDICTS, Verdict)), done.key


def _tells_likelihood(stage: Stage) -> bool:
    if stage.trainable:
        return True
    target = open_target(stage.model)
    try:
        return hasattr(target.api, "log_likelihoods")
    finally:
        target.api.close()
