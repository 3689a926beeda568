"""Add jobs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make jobs and their failed rows, and let predictions belong to a job."""
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=36), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("file", sa.String(length=200), nullable=False),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("rows_failed", sa.Integer(), nullable=False),
        sa.Column("rows_expected", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("leased_by", sa.String(length=36), nullable=True),
        sa.Column("leased_until", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_jobs_user_id", ondelete="SET NULL"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
    )
    op.create_index("ix_jobs_user_id", "jobs", ["user_id"])
    op.create_index("ix_jobs_state", "jobs", ["state"])
    op.create_table(
        "job_failures",
        sa.Column("job_id", sa.String(length=36), nullable=False),
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_id"], ["jobs.id"], name="fk_job_failures_job_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("job_id", "row", name="pk_job_failures"),
    )
    with op.batch_alter_table("predictions") as table:
        table.add_column(sa.Column("job_id", sa.String(length=36), nullable=True))
        table.add_column(sa.Column("job_row", sa.Integer(), nullable=True))
        table.create_foreign_key("fk_predictions_job_id", "jobs", ["job_id"], ["id"], ondelete="SET NULL")
    op.create_index("ix_predictions_job_id", "predictions", ["job_id"])


def downgrade() -> None:
    """Remove the jobs; their predictions stay."""
    op.drop_index("ix_predictions_job_id", "predictions")
    with op.batch_alter_table("predictions") as table:
        table.drop_constraint("fk_predictions_job_id", type_="foreignkey")
        table.drop_column("job_row")
        table.drop_column("job_id")
    op.drop_table("job_failures")
    op.drop_table("jobs")
