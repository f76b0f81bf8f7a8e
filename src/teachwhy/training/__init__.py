"""Rows to a checkpoint: one template, one mask, one recipe for every arm."""
