"""Documents: text from a world where the constitution is public, trained on as pretraining text (the source's E5)."""
