"""Every eval by its name."""

from __future__ import annotations

from collections.abc import Mapping

from teachwhy.evals.assessment.task import EVAL as ASSESSMENT
from teachwhy.evals.capability.task import EVAL as CAPABILITY
from teachwhy.evals.constitution.task import EVAL as CONSTITUTION
from teachwhy.evals.evaluation import Eval
from teachwhy.evals.honeypots.task import EVAL as HONEYPOTS
from teachwhy.evals.public.task import EVAL as PUBLIC

EVALS: Mapping[str, Eval] = {
    "honeypots": HONEYPOTS,
    "constitution": CONSTITUTION,
    "assessment": ASSESSMENT,
    "capability": CAPABILITY,
    "public": PUBLIC,
}
