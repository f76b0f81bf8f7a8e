"""A name to weights; the chat and tool-call template; the sampler behind Inspect; scripted models."""
