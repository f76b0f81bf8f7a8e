"""The corpus that ships: training scenes, difficult advice and ordinary work, each written by itself."""
