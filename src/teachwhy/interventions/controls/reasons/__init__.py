"""Stripped reasons and filler: an arm's own rows without the why, and with as many words that say nothing."""
