"""Vectors to probabilities, probabilities to decisions, and the figures that say how good they are."""
