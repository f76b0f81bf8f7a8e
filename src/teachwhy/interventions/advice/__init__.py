"""Difficult advice: a person has the dilemma, the model advises; chat alone, no tools (the source's E4)."""
