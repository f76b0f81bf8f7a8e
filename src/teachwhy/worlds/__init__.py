"""Simulated workplaces: scenes, the tools that act in them, and what happened there."""
