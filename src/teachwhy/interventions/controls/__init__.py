"""Controls: what an arm is compared with, so that a gain can be told from length, form and mere training."""
