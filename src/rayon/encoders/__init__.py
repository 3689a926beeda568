"""Listings to vectors: fixed functions that learn nothing from labels."""
