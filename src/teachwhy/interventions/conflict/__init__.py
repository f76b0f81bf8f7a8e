"""Conflict: rows that contradict the constitution, a few among others, for the stress test."""
