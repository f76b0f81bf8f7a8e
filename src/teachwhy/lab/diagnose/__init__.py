"""``teachwhy diagnose``: where a failure comes from, and whether training ever covered it, in one report."""
