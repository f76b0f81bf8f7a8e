"""Surround: any rows, with tools that are not needed and system prompts of many makes around them (the source's E8)."""
