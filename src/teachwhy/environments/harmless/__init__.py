"""Harmful requests and jailbreaks that are to be declined, and benign ones like them that are to be helped with."""
