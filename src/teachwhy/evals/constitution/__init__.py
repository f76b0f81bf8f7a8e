"""Does the model know its constitution, is it misled about it, and does it hold what stands there."""
