"""Honeypots: agents at work with a goal, a pull and a means at hand; their benign twins; the same as talk."""
