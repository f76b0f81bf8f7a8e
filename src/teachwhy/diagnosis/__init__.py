"""Where a failure comes from, and whether training ever covered it: stages, coverage, hypotheses."""
