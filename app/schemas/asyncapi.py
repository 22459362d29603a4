"""The AsyncAPI 3.0 document of the live protocol, made from the models that the code uses."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from app.schemas.live import (
    Delta,
    Heartbeat,
    Hello,
    ProblemMessage,
    Resumed,
    Seen,
    Snapshot,
    Subscribe,
    Unsubscribe,
)

SENT: tuple[type[BaseModel], ...] = (Hello, Snapshot, Resumed, Delta, Heartbeat, ProblemMessage)
RECEIVED: tuple[type[BaseModel], ...] = (Subscribe, Unsubscribe, Seen)

#: Close codes of the contract and what each means to a client.
CLOSE_CODES = {
    1012: "The server restarts: reconnect and resume.",
    1013: "The server cannot serve now: reconnect with backoff.",
    4401: "The ticket was used or has expired: take a fresh one.",
    4408: "The credential came too late: reconnect.",
    4413: "The connection took nothing for ten seconds: reconnect.",
    4429: "Too many messages: reconnect with backoff.",
    4501: "No such credential: do not reconnect.",
    4503: "The credential was revoked: do not reconnect.",
    4504: "A limit was passed: do not reconnect.",
    4510: "A message was not understood: do not reconnect.",
}


def asyncapi(version: str) -> dict[str, Any]:
    """Return the document."""
    models = SENT + RECEIVED
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    names = [model.__name__ for model in models]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Kentongan live",
            "version": version,
            "description": "Websocket subprotocol kentongan.v1. Close codes: "
            + " ".join(f"{code}: {text}" for code, text in CLOSE_CODES.items()),
        },
        "channels": {
            "live": {
                "address": "/v1/live",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
                "bindings": {"ws": {"method": "GET"}},
            }
        },
        "operations": {
            "tell": _operation("send", SENT),
            "ask": _operation("receive", RECEIVED),
        },
        "components": {
            "messages": {
                name: {
                    "name": name,
                    "contentType": "application/json",
                    "payload": {"$ref": f"#/components/schemas/{name}"},
                }
                for name in names
            },
            "schemas": schemas["$defs"],
        },
    }


def _operation(action: str, models: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    """Describe what the server sends, or receives."""
    return {
        "action": action,
        "channel": {"$ref": "#/channels/live"},
        "messages": [{"$ref": f"#/channels/live/messages/{model.__name__}"} for model in models],
    }
