"""Keys that end, that say what they are for, and when they were last used.

Revision ID: 0004
Revises: 0003
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the columns; keys that are there live on without an end."""
    op.add_column("api_keys", sa.Column("label", sa.Text()))
    op.add_column("api_keys", sa.Column("expires_at", sa.DateTime(timezone=True)))
    op.add_column("api_keys", sa.Column("last_used_at", sa.DateTime(timezone=True)))
    op.create_check_constraint(
        op.f("key_ends_after_it_began"), "api_keys", "expires_at > created_at"
    )
    # Open connections are looked after by the numbers of their keys, whatever their regions.
    op.create_index("api_keys_number", "api_keys", ["id"])


def downgrade() -> None:
    """Take the columns away; a key that has ended would live again, and is revoked before."""
    op.execute(
        "UPDATE api_keys SET revoked_at = expires_at"
        " WHERE revoked_at IS NULL AND expires_at <= now()"
    )
    op.drop_index("api_keys_number", table_name="api_keys")
    op.drop_constraint(op.f("key_ends_after_it_began"), "api_keys")
    for column in ("last_used_at", "expires_at", "label"):
        op.drop_column("api_keys", column)
