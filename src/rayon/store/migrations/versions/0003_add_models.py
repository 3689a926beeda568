"""Add model versions and the champion."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the registry of models, the pointer to the champion, and the history of that pointer."""
    op.create_table(
        "model_versions",
        sa.Column("name", sa.String(length=12), nullable=False),
        sa.Column("version", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("registered_by", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("parent", sa.String(length=12), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_model_versions"),
        sa.UniqueConstraint("version", name="uq_model_versions_version"),
    )
    op.create_table(
        "pointers",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("model", sa.String(length=12), nullable=False),
        sa.ForeignKeyConstraint(["model"], ["model_versions.name"], name="fk_pointers_model"),
        sa.PrimaryKeyConstraint("name", name="pk_pointers"),
    )
    op.create_table(
        "promotions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("model", sa.String(length=12), nullable=False),
        sa.Column("previous", sa.String(length=12), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["model"], ["model_versions.name"], name="fk_promotions_model"),
        sa.PrimaryKeyConstraint("id", name="pk_promotions"),
    )


def downgrade() -> None:
    """Forget the registry; the model folders stay."""
    op.drop_table("promotions")
    op.drop_table("pointers")
    op.drop_table("model_versions")
