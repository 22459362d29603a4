"""Every failure as an RFC 9457 problem document: one row a type, and no other form.

A problem never carries the offending value; it may be personal data.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import Match

from app.domain import errors
from app.domain.errors import DomainError, RetryableError

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"
#: Types are names, not addresses: they outlive hosts. docs/problems.md lists them.
TYPE_PREFIX = "urn:kentongan:problem:"


@dataclass(frozen=True, slots=True)
class Problem:
    """How a kind of failure is told over HTTP."""

    title: str
    status: HTTPStatus


S = HTTPStatus
PROBLEMS: dict[type[DomainError], Problem] = {
    errors.MalformedJson: Problem("The body is not strict JSON", S.BAD_REQUEST),
    errors.MalformedEvent: Problem("The request holds no CloudEvent", S.BAD_REQUEST),
    errors.InvalidParameter: Problem("A parameter is invalid", S.UNPROCESSABLE_ENTITY),
    errors.UnsupportedMediaType: Problem("Unsupported media type", S.UNSUPPORTED_MEDIA_TYPE),
    errors.UpgradeNeeded: Problem("A websocket is needed", S.UPGRADE_REQUIRED),
    errors.BodyTooLarge: Problem("The body is too large", S.REQUEST_ENTITY_TOO_LARGE),
    errors.BatchTooLarge: Problem("The batch is too large", S.REQUEST_ENTITY_TOO_LARGE),
    errors.CredentialMissing: Problem("A credential is needed", S.UNAUTHORIZED),
    errors.CredentialUnknown: Problem("The credential is unknown", S.UNAUTHORIZED),
    errors.ScopeMissing: Problem("The credential does not reach this far", S.FORBIDDEN),
    errors.SourceNotAllowed: Problem("The key is not bound to this source", S.FORBIDDEN),
    errors.OriginNotAllowed: Problem("The page's origin is not allowed", S.FORBIDDEN),
    errors.UnknownRegion: Problem("Unknown region", S.NOT_FOUND),
    errors.UnknownCase: Problem("Unknown case", S.NOT_FOUND),
    errors.UnknownSource: Problem("Unknown source", S.NOT_FOUND),
    errors.UnknownKey: Problem("Unknown key", S.NOT_FOUND),
    errors.UnknownQuarantineEntry: Problem("Unknown quarantine entry", S.NOT_FOUND),
    errors.InvalidAttribute: Problem("An attribute is invalid", S.UNPROCESSABLE_ENTITY),
    errors.InvalidData: Problem("A field of data is invalid", S.UNPROCESSABLE_ENTITY),
    errors.AreaUnknown: Problem("Unknown area", S.UNPROCESSABLE_ENTITY),
    errors.TimeOutOfRange: Problem("The time is out of range", S.UNPROCESSABLE_ENTITY),
    errors.DataTooLarge: Problem("The data is too large", S.UNPROCESSABLE_ENTITY),
    errors.ClassificationRefused: Problem(
        "Data of this classification is refused", S.UNPROCESSABLE_ENTITY
    ),
    errors.ContentConflict: Problem("The id holds other content", S.CONFLICT),
    errors.QuotaExceeded: Problem("The quota is used up", S.TOO_MANY_REQUESTS),
    errors.TooManyConnections: Problem("Too many live connections", S.TOO_MANY_REQUESTS),
    errors.Overloaded: Problem("The service is overloaded", S.SERVICE_UNAVAILABLE),
    errors.DatabaseAway: Problem("The database is away", S.SERVICE_UNAVAILABLE),
    errors.NotDurable: Problem("The database is not durable", S.SERVICE_UNAVAILABLE),
    errors.RebuildUnderWay: Problem("A rebuild is under way", S.CONFLICT),
    errors.NotPrepared: Problem("The database is not prepared", S.SERVICE_UNAVAILABLE),
    errors.WrongPurpose: Problem("The database serves another purpose", S.CONFLICT),
    errors.InvariantBroken: Problem("An invariant is broken", S.INTERNAL_SERVER_ERROR),
}
del S

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

#: Failures that the framework finds, by status.
FRAMEWORK: dict[int, str] = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    408: "request-timeout",
    413: "body-too-large",
    415: "unsupported-media-type",
    422: "invalid-parameter",
    431: "headers-too-large",
    500: "internal-error",
}

#: One title a type, whoever found the failure.
TITLES = {kind.slug(): problem.title for kind, problem in PROBLEMS.items()}


def document(error: DomainError) -> dict[str, Any]:
    """Return the problem document of a failure, as receipts and messages carry it too."""
    problem = PROBLEMS[type(error)]
    body: dict[str, Any] = {
        "type": TYPE_PREFIX + error.slug(),
        "title": problem.title,
        "status": int(problem.status),
        "detail": str(error),
        "retryable": isinstance(error, RetryableError),
    }
    if error.field is not None:
        body["field"] = error.field
    return body


def response(error: DomainError) -> Response:
    """Return the answer that tells of a failure."""
    body = document(error)
    headers: dict[str, str] = {}
    if isinstance(error, RetryableError):
        headers["Retry-After"] = str(error.retry_after)
    if body["status"] == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="kentongan"'
    return _written(body, headers)


def framework(status: int, detail: str, headers: Any = None, **members: Any) -> Response:
    """Return the answer that tells of a failure which the framework found."""
    slug = FRAMEWORK.get(status, "http-error")
    body = {
        "type": TYPE_PREFIX + slug,
        "title": TITLES.get(slug, HTTPStatus(status).phrase),
        "status": status,
        "detail": detail,
        "retryable": False,
        **members,
    }
    return _written(body, headers)


def _written(body: dict[str, Any], headers: Any) -> Response:
    return Response(orjson.dumps(body), body["status"], headers, media_type=MEDIA_TYPE)


def expected(error: DomainError | ClientDisconnect) -> Response:
    """Return the answer to a failure that is nobody's mistake here."""
    if isinstance(error, ClientDisconnect):
        # To nobody: the client left before its request was whole.
        return Response(status_code=HTTPStatus.BAD_REQUEST)
    return response(error)


async def _expected(_: Request, error: Exception) -> Response:
    assert isinstance(error, DomainError | ClientDisconnect)  # noqa: S101 - registered for them
    return expected(error)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for it
    phrase = HTTPStatus(error.status_code).description or HTTPStatus(error.status_code).phrase
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(_allowed(request))
    return framework(error.status_code, phrase, headers)


def _allowed(request: Request) -> list[str]:
    """Return the methods of a path; the framework names those of one of its routes alone."""
    scopes = {method: {**request.scope, "method": method} for method in _METHODS}
    return [
        method
        for method, scope in scopes.items()
        if any(route.matches(scope)[0] is Match.FULL for route in request.app.router.routes)
    ]


async def _validation_error(_: Request, error: Exception) -> Response:
    """Name the parameters that are wrong, and why; pydantic would repeat the values too."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for it
    wrong = error.errors()
    fields = [".".join(str(part) for part in item["loc"][1:]) for item in wrong]
    detail = "; ".join(
        f"{field}: {_reason(item)}" for field, item in zip(fields, wrong, strict=True)
    )
    return framework(422, detail, None, field=fields[0] if fields else "")


def _reason(item: dict[str, Any]) -> str:
    """Say what is wrong without what was sent; some messages would quote it."""
    return {
        "missing": "is required",
        "int_parsing": "must be a whole number",
        "bool_parsing": "must be true or false",
    }.get(item["type"], f"is invalid ({item['type']})")


async def _unexpected(request: Request, error: Exception) -> Response:
    log.error(
        "A request failed unexpectedly",
        action="http.failed",
        route=getattr(request.scope.get("route"), "path", None),
        exc_info=error,
    )
    return framework(500, "The server failed; it has been written down")


def install(app: FastAPI) -> None:
    """Make every failure of the app a problem document."""
    app.add_exception_handler(DomainError, _expected)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(ClientDisconnect, _expected)
    app.add_exception_handler(Exception, _unexpected)
