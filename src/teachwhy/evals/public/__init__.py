"""The public honeypots, agentic misalignment, as the Inspect port has them: run, judged and counted four ways."""
