"""Add the golden set."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Make the table of the listings that no model may learn from."""
    op.create_table(
        "golden_listings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("designation", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("productid", sa.String(length=200), nullable=False),
        sa.Column("imageid", sa.String(length=200), nullable=False),
        sa.Column("image", sa.String(length=64), nullable=True),
        sa.Column("code", sa.String(length=200), nullable=False),
        sa.Column("prediction_id", sa.String(length=36), nullable=True),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_golden_listings"),
        sa.UniqueConstraint("prediction_id", name="uq_golden_listings_prediction_id"),
    )
    op.create_index("ix_golden_listings_productid", "golden_listings", ["productid"])
    op.create_index("ix_golden_listings_image", "golden_listings", ["image"])


def downgrade() -> None:
    """Forget the golden set."""
    op.drop_table("golden_listings")
