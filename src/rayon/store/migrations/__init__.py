"""Alembic migrations; `rayon.store.schema` runs them."""
