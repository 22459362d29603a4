"""Cases by when they were answered, closed, or went on after a reopening.

Revision ID: 0002
Revises: 0001
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

#: Name, column, and the cases that are in it at all.
INDEXES = (
    ("cases_responded", "first_response_at", "first_response_at IS NOT NULL"),
    ("cases_closed", "closed_at", "closed_at IS NOT NULL"),
    # By when they were opened and not by when they last moved: an index over what changes
    # with every event would have each of them written anew into all the others too.
    ("cases_reopened", "opened_at", "reopen_count > 0"),
)


def upgrade() -> None:
    # A migration that waits for a lock makes every writer behind it wait too.
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, column, where in INDEXES:
        op.create_index(
            name, "cases", ["region", "generation", column], postgresql_where=sa.text(where)
        )


def downgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    for name, _, _ in INDEXES:
        op.drop_index(name, table_name="cases")
