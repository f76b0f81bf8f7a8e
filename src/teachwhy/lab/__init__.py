"""How arms are compared: the experiment, its stages, the guard, the report. The only part that sees everything."""
