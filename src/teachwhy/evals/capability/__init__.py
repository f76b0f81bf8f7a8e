"""What the model can still do, and what it needlessly refuses: a small set offline, named public tasks beside it."""
