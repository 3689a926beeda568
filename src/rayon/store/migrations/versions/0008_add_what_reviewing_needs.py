"""Add what reviewing needs: an order by usefulness, words that are stored once, and lists newest first."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_WAITING = sa.text("queued_for IS NOT NULL AND validated_at IS NULL")
_INDICES = {
    "ix_predictions_waiting_priority": ["queued_for", "priority"],
    "ix_predictions_waiting_age": ["queued_for", "id"],
    "ix_predictions_waiting_confidence": ["confidence"],
    "ix_predictions_waiting_code": ["code", "queued_for", "priority"],
}
_LISTED = ("user_id", "code")


def upgrade() -> None:
    """Add columns and indices; what waits already is ordered by how unsure it is."""
    op.add_column("predictions", sa.Column("priority", sa.Float()))
    op.add_column("predictions", sa.Column("near_key", sa.String(length=16)))
    op.add_column("predictions", sa.Column("near_rank", sa.Integer()))
    op.add_column("validations", sa.Column("token", sa.String(length=36)))
    op.execute("UPDATE predictions SET priority = 1 - confidence WHERE queued_for IS NOT NULL")
    op.drop_index("ix_predictions_queue", "predictions")
    for name, columns in _INDICES.items():
        op.create_index(name, "predictions", columns, sqlite_where=_WAITING, postgresql_where=_WAITING)
    op.create_index("ix_predictions_near_key_near_rank", "predictions", ["near_key", "near_rank"])
    for column in _LISTED:
        op.drop_index(f"ix_predictions_{column}", "predictions")
        op.create_index(f"ix_predictions_{column}_id", "predictions", [column, "id"])
    op.create_index("ix_validations_token", "validations", ["token"], unique=True)
    op.create_index("ix_validations_at", "validations", ["at"])


def downgrade() -> None:
    """Order the queue by age again."""
    for name in ("ix_validations_at", "ix_validations_token"):
        op.drop_index(name, "validations")
    for column in _LISTED:
        op.drop_index(f"ix_predictions_{column}_id", "predictions")
        op.create_index(f"ix_predictions_{column}", "predictions", [column])
    for name in ("ix_predictions_near_key_near_rank", *reversed(_INDICES)):
        op.drop_index(name, "predictions")
    op.create_index("ix_predictions_queue", "predictions", ["queued_for", "validated_at", "id"])
    op.drop_column("validations", "token")
    for column in ("near_rank", "near_key", "priority"):
        op.drop_column("predictions", column)
