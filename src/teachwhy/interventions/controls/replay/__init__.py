"""Replay: ordinary agent work and everyday chats, the control that every other arm is read against."""
