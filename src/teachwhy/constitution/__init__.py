"""What a model is meant to care about, and why: a document as clauses with stable ids."""

from teachwhy.constitution.clauses import Clause, Constitution, find_clauses, load_constitution

__all__ = ["Clause", "Constitution", "find_clauses", "load_constitution"]
