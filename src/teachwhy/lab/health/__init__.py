"""The health of training rows: leaks of measured text, duplicates, diversity, stock phrases, lengths, what is empty."""
