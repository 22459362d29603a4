"""Runs migrations on the connection that ``kentongan migrate`` hands over."""

from alembic import context

from app.models import Base


def run() -> None:
    """Migrate in one transaction; a lock waited for too long fails instead of queueing writers."""
    connection = context.config.attributes["connection"]
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        transaction_per_migration=False,
    )
    with context.begin_transaction():
        context.run_migrations()


run()
