"""Irrelevant principle: advice of the same form, reasoned from something that has nothing to do with ethics."""
