"""Events that were refused: listing them, and letting them in once the reason is gone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from app.database import Engine, transaction
from app.domain.errors import DomainError, InvalidData, UnknownQuarantineEntry
from app.domain.events import DATA_OMITTED, MISSING, Candidate
from app.domain.regions import parse_source
from app.domain.times import Clock
from app.repositories import quarantine
from app.repositories.quarantine import Entry
from app.services.ingest import ACCEPTED, DUPLICATE, Ingest, Receipt

__all__ = ["Entry", "candidate_of", "find", "list_refused", "replay"]


async def list_refused(
    engine: Engine, source: str, before: int | None, limit: int
) -> Sequence[Entry]:
    """Return a source's refused events, newest first, from a keyset cursor on."""
    region = parse_source(source).region
    async with transaction(engine) as connection:
        return await quarantine.listed(connection, region, source, before, limit)


async def find(engine: Engine, entry_id: int) -> Entry:
    """Return one refused event.

    Raises:
        UnknownQuarantineEntry: no event is kept under this number.
    """
    async with transaction(engine) as connection:
        entry = await quarantine.read(connection, entry_id)
    if entry is None:
        raise UnknownQuarantineEntry("no refused event is kept under this number", field="id")
    return entry


async def replay(engine: Engine, ingest: Ingest, clock: Clock, entry: Entry) -> Receipt:
    """Send a refused event through the door again, as it was masked.

    It keeps the digest of what was sent, so that the app's own retry is then a
    duplicate and no conflict. A replay that is accepted is written down;
    replaying twice is a duplicate and changes nothing.
    """
    (receipt,) = await ingest.submit({entry.source}, [candidate_of(entry)], digest=entry.digest)
    if receipt.outcome in (ACCEPTED, DUPLICATE):
        async with transaction(engine) as connection:
            await quarantine.mark_replayed(connection, entry.region, entry.id, clock())
    return replace(receipt, source=entry.source)


def candidate_of(entry: Entry) -> Candidate | DomainError:
    """Return the kept event as a request would carry it, or why it cannot be sent again."""
    attributes = json.loads(entry.event)
    if DATA_OMITTED in attributes:
        return InvalidData("its data was not kept: its app has to send it again", field="data")
    for member in ("data", "data_base64"):
        if member in attributes:
            data = attributes.pop(member)
            return Candidate(attributes, data, member)
    return Candidate(attributes, MISSING)
