"""Add the verdicts of the gate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Make the table of what was asked of the golden set, and what it cost."""
    op.create_table(
        "verdicts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("serving", sa.String(length=12), nullable=True),
        sa.Column("champion", sa.String(length=12), nullable=False),
        sa.Column("challenger", sa.String(length=12), nullable=False),
        sa.Column("golden_listings", sa.Integer(), nullable=False),
        sa.Column("question", sa.String(length=64), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("alpha", sa.Float(), nullable=False),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("verdict", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_verdicts"),
    )


def downgrade() -> None:
    """Forget the verdicts; those that came with a promotion stay with it."""
    op.drop_table("verdicts")
