"""Explained: the same scenes and the same acts as cloning, each after the reasons for it (the source's E3c)."""
