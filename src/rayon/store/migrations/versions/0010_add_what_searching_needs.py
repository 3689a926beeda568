"""Add what searching predictions needs: their words, a full-text index, and an index for filtered lists."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from rayon.store.search import search_text

revision = "0010"
down_revision = "0009"

_AT_ONCE = 1000
_LISTED = [
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
]
_NEAR = ("ix_predictions_near_key_near_rank", "predictions", ["near_key", "near_rank"])
_SQLITE = (
    # Words are separated by blanks and folded already; where they stand and how many there are is not needed.
    """CREATE VIRTUAL TABLE search_index USING fts5(text, content='search_texts', content_rowid='id',
        columnsize=0, detail=none, tokenize="ascii tokenchars '_'")""",
    """CREATE TRIGGER search_texts_inserted AFTER INSERT ON search_texts BEGIN
        INSERT INTO search_index(rowid, text) VALUES (new.id, new.text);
    END""",
    """CREATE TRIGGER search_texts_deleted AFTER DELETE ON search_texts BEGIN
        INSERT INTO search_index(search_index, rowid, text) VALUES ('delete', old.id, old.text);
    END""",
)
_POSTGRESQL = (
    # Kept, and not made anew for each row that is looked at.
    """ALTER TABLE search_texts ADD COLUMN words tsvector
        GENERATED ALWAYS AS (array_to_tsvector(string_to_array(text, ' '))) STORED""",
    "CREATE INDEX ix_search_texts_words ON search_texts USING gin (words)",
)


def upgrade() -> None:
    """Make table and indices, and note the words of all predictions that are there."""
    op.create_table(
        "search_texts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("prediction_id", sa.String(length=36), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["prediction_id"],
            ["predictions.id"],
            name="fk_search_texts_prediction_id",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_search_texts"),
        sa.UniqueConstraint("prediction_id", name="uq_search_texts_prediction_id"),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if is_sqlite else ():
        op.execute(statement)
    _note_words()
    for statement in () if is_sqlite else _POSTGRESQL:
        op.execute(statement)
    in_queue = sa.text("near_key IS NOT NULL")
    op.drop_index(_NEAR[0], _NEAR[1])
    op.create_index(*_NEAR, sqlite_where=in_queue, postgresql_where=in_queue)
    op.drop_index("ix_predictions_code_id", "predictions")
    op.create_index("ix_predictions_listed", "predictions", _LISTED)
    _index_ages(
        {"ix_predictions_waiting_age": ["id"], "ix_predictions_waiting_age_in_queue": ["queued_for", "id"]}
    )
    op.create_index("ix_validations_user_id_at", "validations", ["user_id", "at"])


def _index_ages(indices: dict[str, list[str]]) -> None:
    op.drop_index("ix_predictions_waiting_age", "predictions")
    waiting = sa.text("queued_for IS NOT NULL AND validated_at IS NULL")
    for name, columns in indices.items():
        op.create_index(name, "predictions", columns, sqlite_where=waiting, postgresql_where=waiting)


def _note_words() -> None:
    connection = op.get_bind()
    texts = sa.table("search_texts", sa.column("prediction_id"), sa.column("text"))
    columns: list[sa.ColumnClause[str]] = [
        sa.column(name) for name in ("id", "designation", "description", "productid", "imageid")
    ]
    page = sa.select(*columns).select_from(sa.table("predictions")).order_by(columns[0]).limit(_AT_ONCE)
    rows = connection.execute(page).all()
    while rows:
        noted = [{"prediction_id": id, "text": search_text(*parts)} for id, *parts in rows]
        connection.execute(sa.insert(texts), noted)
        rows = connection.execute(page.where(columns[0] > rows[-1].id)).all()


def downgrade() -> None:
    """Search no more."""
    op.drop_index("ix_validations_user_id_at", "validations")
    op.drop_index("ix_predictions_waiting_age_in_queue", "predictions")
    _index_ages({"ix_predictions_waiting_age": ["queued_for", "id"]})
    op.drop_index("ix_predictions_listed", "predictions")
    op.create_index("ix_predictions_code_id", "predictions", ["code", "id"])
    op.drop_index(_NEAR[0], _NEAR[1])
    op.create_index(*_NEAR)
    if op.get_bind().dialect.name == "sqlite":
        op.drop_table("search_index")
    op.drop_table("search_texts")
