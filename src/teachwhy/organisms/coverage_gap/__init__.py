"""The default organism: harmful as an agent, aligned in chat, because post-training aligned chat alone."""
