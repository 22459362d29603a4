"""The program with a committer that answers at once: what all but the commit costs.

``python -m benchmarks.without_commit api`` is ``kentongan api``, with the same
door, key, quota, checks, digest, masking and receipts. Only the shared
transaction is gone: every event is told to be new, and nothing is kept. It is
the limit of ``ingest_single``, and no way to run the program.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from app import cli, main
from app.domain.events import Submission
from app.repositories.event_log import Appended
from app.services.group_commit import GroupCommit


class AnswersAtOnce(GroupCommit):
    """Tells that events are kept, and keeps none."""

    async def append(self, events: Sequence[Submission], received_at: datetime) -> list[Appended]:
        """Return the next number for each."""
        return [Appended(1, False, event.digest) for event in events]


if __name__ == "__main__":
    main.GroupCommit = AnswersAtOnce  # type: ignore[attr-defined]
    cli.main()
