"""Facts of the domain that stop a request; the edge gives each a status.

A message never repeats what a client sent: it may be personal data.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"(?<!^)(?=[A-Z])")


class DomainError(Exception):
    """The root of every expected failure.

    ``field`` names the member, header or parameter that is wrong, where there
    is one; it is a name of ours or a path into the client's document, never a
    value.
    """

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field

    @classmethod
    def slug(cls) -> str:
        """Return the stable name of this kind of failure, as clients see it.

        >>> AreaUnknown.slug()
        'area-unknown'
        """
        return _WORD.sub("-", cls.__name__).lower()


class RetryableError(DomainError):
    """The same request may succeed later; ``retry_after`` is in whole seconds."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


# --- a request that could not be read -------------------------------------------------


class MalformedJson(DomainError):
    """The body is not JSON in the strict sense of the contract."""


class MalformedEvent(DomainError):
    """The body is JSON but not a CloudEvent, or the headers do not form one."""


class InvalidParameter(DomainError):
    """A path segment, query parameter or message member has no possible meaning."""


class UnsupportedMediaType(DomainError):
    """The content type is none of the three CloudEvents modes."""


class UpgradeNeeded(DomainError):
    """The route speaks websocket alone, and the request did not ask for it."""


class BodyTooLarge(DomainError):
    """The body is longer than the route takes."""


class BatchTooLarge(DomainError):
    """A batch holds more events than one request may carry."""


# --- who may do what ------------------------------------------------------------------


class CredentialMissing(DomainError):
    """The route needs a credential and none was sent."""


class CredentialUnknown(DomainError):
    """The credential is not one of ours, or no longer."""


class ScopeMissing(DomainError):
    """The credential is good but does not reach this far."""


class SourceNotAllowed(DomainError):
    """The key is not bound to the source that an event names."""


class OriginNotAllowed(DomainError):
    """A page of another origin asked for a connection."""


# --- what is not there ----------------------------------------------------------------


class NotFound(DomainError):
    """The thing asked for does not exist, or not for this reader."""


class UnknownRegion(NotFound):
    """No region with this code is registered here."""


class UnknownCase(NotFound):
    """The region has no such case."""


class UnknownSource(NotFound):
    """No such source is registered."""


class UnknownKey(NotFound):
    """No such key was ever made."""


class UnknownQuarantineEntry(NotFound):
    """No refused event is kept under this number."""


# --- one event that is refused; the rest of its batch goes on ---------------------------


class EventRefused(DomainError):
    """One event cannot be accepted; nothing of it is counted."""


class InvalidAttribute(EventRefused):
    """A CloudEvents attribute is missing, too long or of the wrong form."""


class InvalidData(EventRefused):
    """A field of ``data`` that the fold reads is of the wrong form."""


class AreaUnknown(EventRefused):
    """The area is not a kecamatan or kelurahan of the source's region."""


class TimeOutOfRange(EventRefused):
    """The event's time lies before 2000 or more than a day ahead."""


class DataTooLarge(EventRefused):
    """The event's data is longer than 64 KiB."""


class ClassificationRefused(EventRefused):
    """The event is classified as restricted, or as something unknown."""


class ContentConflict(EventRefused):
    """The id was used before for an event with other content."""


# --- not now --------------------------------------------------------------------------


class QuotaExceeded(RetryableError):
    """The caller sent more than its share of the present second."""


class TooManyConnections(RetryableError):
    """The caller, or its region, holds as many live connections as it may."""


class Overloaded(RetryableError):
    """The service has as much in hand as it can answer in time."""


class DatabaseAway(RetryableError):
    """The database does not answer; nothing was acknowledged."""


class NotDurable(RetryableError):
    """The database would answer before data is on disk; we do not pretend it is safe."""


# --- what must never be false -----------------------------------------------------------


class InvariantBroken(DomainError):
    """A number contradicts the log it was made from; the region's folding stops."""


class RebuildUnderWay(DomainError):
    """Another process rebuilds the region already."""


# --- the installation -------------------------------------------------------------------


class NotPrepared(RetryableError):
    """The database is not migrated to this program's schema, or was never seeded."""


class WrongPurpose(DomainError):
    """A demo city would be mixed with a real one."""
