"""Cloning: scenes of temptation, answered well; what was done, and no word why (the source's E3a)."""
