"""Eval description: documents that say how evaluations look, and nothing of what is right."""
