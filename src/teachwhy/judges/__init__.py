"""Models that judge a transcript by a written rubric, and how far they are to be trusted."""
