"""Sums, differences, products and two steps in a row: a capability to train, away from or beside safety."""
