"""What is measured: a folder each, Inspect tasks each; ``registry.py`` lists them."""
