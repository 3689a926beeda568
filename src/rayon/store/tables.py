"""The tables. Moments are kept in UTC; identifiers that people see are random and sort by time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Moment(TypeDecorator[datetime]):
    """A point in time: aware and in UTC in Python, whatever the database makes of it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert to UTC; SQLite keeps no zone, so it gets none."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Give the moment back in UTC."""
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


metadata = MetaData(naming_convention=NAMING)

users = Table(
    "users",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", String(100), nullable=False, unique=True),
    Column("role", String(20), nullable=False),
    Column("password_hash", String(255), nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at", Moment, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", String(100), nullable=False),
    Column("prefix", String(16), nullable=False),
    Column("hash", String(64), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("last_used_at", Moment),
    Column("revoked_at", Moment),
)

sign_ins = Table(
    "failed_sign_ins",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False, index=True),
    Column("address", String(64), nullable=False, index=True),
    Column("at", Moment, nullable=False),
)

predictions = Table(
    "predictions",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("created_at", Moment, nullable=False, index=True),
    Column("user_id", String(36), ForeignKey("users.id", ondelete="SET NULL")),
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="SET NULL"), index=True),
    Column("job_row", Integer),
    Column("designation", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("productid", String(200), nullable=False, index=True),
    Column("imageid", String(200), nullable=False),
    Column("image", String(64), index=True),
    Column("code", String(200), nullable=False),
    Column("label", Text, nullable=False),
    Column("confidence", Float, nullable=False),
    Column("decision", String(10), nullable=False),
    Column("reason", String(40), nullable=False),
    Column("threshold", Float),
    Column("modalities", JSON, nullable=False),
    Column("degraded", Boolean, nullable=False),
    Column("alternatives", JSON, nullable=False),
    Column("scores", JSON, nullable=False),
    Column("error", Text, nullable=False),
    Column("model_version", String(64), nullable=False),
    # Why a person is to see it: "review", "audit", or not at all; and how likely the audit was to draw it.
    Column("queued_for", String(10)),
    Column("audit_probability", Float, nullable=False),
    Column("leased_by", String(36)),
    Column("leased_until", Moment),
    # The latest word of a person, repeated here so that lists need no join.
    Column("validated_at", Moment),
    Column("true_code", String(200)),
    # How useful a person's look is; near-duplicates share a key, and the rank says which of them this one is.
    Column("priority", Float),
    Column("near_key", String(16)),
    Column("near_rank", Integer),
    Index("ix_predictions_user_id_id", "user_id", "id"),
    # Lists are filtered within this index alone, newest first, however few predictions a filter lets through.
    Index(
        "ix_predictions_listed",
        "id",
        "created_at",
        "user_id",
        "job_id",
        "code",
        "true_code",
        "decision",
        "queued_for",
        "confidence",
        "validated_at",
        "model_version",
    ),
)
_in_queue = predictions.c.near_key.is_not(None)
Index(
    "ix_predictions_near_key_near_rank",
    predictions.c.near_key,
    predictions.c.near_rank,
    sqlite_where=_in_queue,
    postgresql_where=_in_queue,
)


def _index_of_waiting(name: str, *columns: str) -> Index:
    """An index of the predictions that wait for a person, which are few among many."""
    waiting = predictions.c.queued_for.is_not(None) & predictions.c.validated_at.is_(None)
    return Index(
        f"ix_predictions_waiting_{name}",
        *(predictions.c[column] for column in columns),
        sqlite_where=waiting,
        postgresql_where=waiting,
    )


_index_of_waiting("priority", "queued_for", "priority")
_index_of_waiting("age", "id")
_index_of_waiting("age_in_queue", "queued_for", "id")
_index_of_waiting("confidence", "confidence")
_index_of_waiting("code", "code", "queued_for", "priority")

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id", ondelete="SET NULL"), index=True),
    Column("created_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("state", String(10), nullable=False, index=True),
    Column("file", String(200), nullable=False),
    Column("rows_done", Integer, nullable=False),
    Column("rows_failed", Integer, nullable=False),
    Column("rows_expected", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("leased_by", String(36)),
    Column("leased_until", Moment),
)

job_failures = Table(
    "job_failures",
    metadata,
    Column("job_id", String(36), ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    Column("row", Integer, primary_key=True),
    Column("error", Text, nullable=False),
)

validations = Table(
    "validations",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "prediction_id",
        String(36),
        ForeignKey("predictions.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("user_id", String(36), ForeignKey("users.id", ondelete="SET NULL")),
    Column("at", Moment, nullable=False, index=True),
    Column("verdict", String(10), nullable=False),
    Column("code", String(200)),
    Column("comment", Text, nullable=False),
    # Made by whoever sends a word, so that one that is sent twice is stored once.
    Column("token", String(36)),
    Index("ix_validations_token", "token", unique=True),
    Index("ix_validations_user_id_at", "user_id", "at"),
)

search_texts = Table(
    "search_texts",
    metadata,
    # The full-text index of SQLite refers to it.
    Column("id", Integer, primary_key=True),
    Column(
        "prediction_id",
        String(36),
        ForeignKey("predictions.id", ondelete="CASCADE"),
        nullable=False,
        unique=True,
    ),
    Column("text", Text, nullable=False),
)

audit_log = Table(
    "audit_log",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False, index=True),
    Column("actor", String(100), nullable=False),
    Column("action", String(40), nullable=False),
    Column("subject", String(200), nullable=False),
    Column("detail", JSON, nullable=False),
)

golden_listings = Table(
    "golden_listings",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("added_at", Moment, nullable=False),
    Column("designation", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("productid", String(200), nullable=False, index=True),
    Column("imageid", String(200), nullable=False),
    Column("image", String(64), index=True),
    Column("code", String(200), nullable=False),
    # Where the random audit found it, and who had asked; it outlives both, so these refer to nothing.
    Column("prediction_id", String(36), unique=True),
    Column("user_id", String(36)),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("name", String(12), primary_key=True),
    Column("version", String(64), nullable=False, unique=True),
    Column("created_at", Moment, nullable=False),
    Column("registered_at", Moment, nullable=False),
    Column("registered_by", String(100), nullable=False),
    Column("source", String(20), nullable=False),
    Column("parent", String(12)),
    Column("size_bytes", BigInteger, nullable=False),
    Column("figures", JSON, nullable=False),
)

pointers = Table(
    "pointers",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("model", String(12), ForeignKey("model_versions.name"), nullable=False),
)

promotions = Table(
    "promotions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("model", String(12), ForeignKey("model_versions.name"), nullable=False),
    Column("previous", String(12)),
    Column("reason", Text, nullable=False),
    Column("verdict", JSON(none_as_null=True)),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    # These refer to nothing: folders that were never registered are compared too.
    Column("serving", String(12)),
    Column("champion", String(12), nullable=False),
    Column("challenger", String(12), nullable=False),
    Column("golden_listings", Integer, nullable=False),
    Column("question", String(64), nullable=False),
    Column("turn", Integer, nullable=False),
    Column("alpha", Float, nullable=False),
    Column("passed", Boolean, nullable=False),
    Column("forced", Boolean, nullable=False),
    Column("verdict", JSON, nullable=False),
)

monitoring_runs = Table(
    "monitoring_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("model", String(12), nullable=False),
    Column("attention", Integer, nullable=False),
    Column("report", JSON, nullable=False),
)

retrainings = Table(
    "retrainings",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("requested_at", Moment, nullable=False),
    Column("started_at", Moment),
    Column("ended_at", Moment),
    Column("state", String(12), nullable=False, index=True),
    Column("trigger", String(12), nullable=False),
    Column("actor", String(100), nullable=False),
    Column("reason", Text, nullable=False),
    Column("recipe", JSON, nullable=False),
    Column("model", String(12)),
    Column("error", Text, nullable=False),
    Column("leased_until", Moment),
)

retraining_steps = Table(
    "retraining_steps",
    metadata,
    Column("id", Integer, primary_key=True),
    Column(
        "retraining_id",
        String(36),
        ForeignKey("retrainings.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("at", Moment, nullable=False),
    Column("step", String(20), nullable=False),
    Column("detail", JSON, nullable=False),
)

schedules = Table(
    "schedules",
    metadata,
    Column("name", String(20), primary_key=True),
    Column("last_due_at", Moment, nullable=False),
)

brakes = Table(
    "brakes",
    metadata,
    Column("model", String(12), primary_key=True),
    Column("at", Moment, nullable=False),
    Column("actor", String(100), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("reason", Text, nullable=False),
    Column("threshold", Float),
)

sessions = Table(
    "sessions",
    metadata,
    Column("hash", String(64), primary_key=True),
    Column("user_id", String(36), ForeignKey("users.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("created_at", Moment, nullable=False),
    Column("seen_at", Moment, nullable=False),
)
