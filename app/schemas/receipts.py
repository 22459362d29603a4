"""The receipts document: what became of each event of a request (contract 3.1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

from app.domain.errors import DomainError, SourceNotAllowed
from app.domain.strict_json import encode
from app.services.ingest import ACCEPTED, CONFLICT, DUPLICATE, REJECTED, Receipt


def status(receipts: Sequence[Receipt]) -> HTTPStatus:
    """Return the status that sums up what became of the events.

    One bad event never blocks a batch, so the status is an error only where
    nothing was kept.
    """
    good = sum(receipt.outcome in (ACCEPTED, DUPLICATE) for receipt in receipts)
    if good == len(receipts):
        return HTTPStatus.ACCEPTED
    if good:
        return HTTPStatus.MULTI_STATUS
    if any(receipt.outcome == CONFLICT for receipt in receipts):
        return HTTPStatus.CONFLICT
    if all(isinstance(receipt.problem, SourceNotAllowed) for receipt in receipts):
        return HTTPStatus.FORBIDDEN
    return HTTPStatus.UNPROCESSABLE_ENTITY


def document(
    receipts: Sequence[Receipt], describe: Callable[[DomainError], dict[str, Any]]
) -> bytes:
    """Return the answer's body; by hand, since it is made for every event.

    ``describe`` turns a failure into a problem document.
    """
    outcomes = [receipt.outcome for receipt in receipts]
    body = {
        "accepted": outcomes.count(ACCEPTED),
        "duplicates": outcomes.count(DUPLICATE),
        "conflicts": outcomes.count(CONFLICT),
        "rejected": outcomes.count(REJECTED),
        "receipts": [_receipt(receipt, describe) for receipt in receipts],
    }
    return encode(body)


def _receipt(receipt: Receipt, describe: Callable[[DomainError], dict[str, Any]]) -> dict[str, Any]:
    line: dict[str, Any] = {
        "index": receipt.index,
        "source": receipt.source,
        "id": receipt.id,
        "outcome": receipt.outcome,
        "region": receipt.region,
        "seq": receipt.seq,
    }
    if receipt.problem is not None:
        line["problem"] = describe(receipt.problem)
    return line
