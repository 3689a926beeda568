"""Add the journals of monitoring and retraining, and what was done on schedule."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "monitoring_runs",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("model", sa.String(length=12), nullable=False),
        sa.Column("attention", sa.Integer(), nullable=False),
        sa.Column("report", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_monitoring_runs"),
    )
    op.create_table(
        "retrainings",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("trigger", sa.String(length=12), nullable=False),
        sa.Column("actor", sa.String(length=100), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("model", sa.String(length=12), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name="pk_retrainings"),
    )
    op.create_index("ix_retrainings_state", "retrainings", ["state"])
    op.create_table(
        "retraining_steps",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("retraining_id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("step", sa.String(length=20), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["retraining_id"],
            ["retrainings.id"],
            name="fk_retraining_steps_retraining_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_retraining_steps"),
    )
    op.create_index("ix_retraining_steps_retraining_id", "retraining_steps", ["retraining_id"])
    op.create_table(
        "schedules",
        sa.Column("name", sa.String(length=20), nullable=False),
        sa.Column("last_due_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_schedules"),
    )


def downgrade() -> None:
    """Forget the journals."""
    for table in ("schedules", "retraining_steps", "retrainings", "monitoring_runs"):
        op.drop_table(table)
