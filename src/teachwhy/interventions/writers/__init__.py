"""Who writes: models in their roles, asked once for each thing, every answer kept on disk."""

from teachwhy.interventions.writers.asking import Dropped, Writers, usable
from teachwhy.interventions.writers.journal import Answer, Journal, credit, read_answers
from teachwhy.interventions.writers.ledger import Ledger, SpentError
from teachwhy.interventions.writers.prompts import Prompt, load_prompts
from teachwhy.interventions.writers.roles import ROLES, Roles, require_prices
from teachwhy.interventions.writers.wire import open_models

__all__ = [
    "ROLES",
    "Answer",
    "Dropped",
    "Journal",
    "Ledger",
    "Prompt",
    "Roles",
    "SpentError",
    "Writers",
    "credit",
    "load_prompts",
    "open_models",
    "read_answers",
    "require_prices",
    "usable",
]
