"""A training honeypot, sampled: an agent of the writer at the decision point, and whether it took the bait."""
