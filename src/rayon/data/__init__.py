"""Catalogues on disk to listings in memory, and all that is done to them before a model sees them."""
