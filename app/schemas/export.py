"""Writes the JSON schemas and tables from which the web part's types are made.

``python -m app.schemas.export FOLDER`` writes ``live.json``, ``state.json`` and
``families.json``; the files are the same for the same code.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from app.domain.families import FAMILIES
from app.schemas.live import ClientMessage, ServerMessage, TicketOut
from app.schemas.state import NetworkState, RegionState, StateOut


def documents() -> dict[str, Any]:
    """Return every exported document by file name."""
    server: TypeAdapter[Any] = TypeAdapter(ServerMessage)
    client: TypeAdapter[Any] = TypeAdapter(ClientMessage)
    live = {
        "title": "LiveMessages",
        "type": "object",
        "properties": {
            "server": {"$ref": "#/$defs/ServerMessage"},
            "client": {"$ref": "#/$defs/ClientMessage"},
            "ticket": {"$ref": "#/$defs/TicketOut"},
        },
        "required": ["server", "client", "ticket"],
        "$defs": {},
    }
    definitions: dict[str, Any] = {}
    for name, schema in (
        ("ServerMessage", server.json_schema()),
        ("ClientMessage", client.json_schema()),
        ("TicketOut", TicketOut.model_json_schema()),
        ("RegionState", RegionState.model_json_schema()),
        ("NetworkState", NetworkState.model_json_schema()),
        ("StateOut", StateOut.model_json_schema()),
    ):
        definitions.update(schema.pop("$defs", {}))
        schema["title"] = name
        definitions[name] = schema
    live["$defs"] = dict(sorted(definitions.items()))
    return {"live.json": live, "families.json": families()}


def families() -> dict[str, Any]:
    """Return the table of kinds and states with their words for the screen."""
    return {
        family.code: {
            kind.code: {
                "label": {"id": kind.label_id, "en": kind.label_en},
                "states": {
                    state.code: {
                        "label": {"id": state.label_id, "en": state.label_en},
                        "open": state.open,
                        "success": state.success,
                        "paused": state.paused,
                    }
                    for state in kind.states().values()
                },
            }
            for kind in family.kinds.values()
        }
        for family in FAMILIES.values()
    }


def main(folder: Path) -> None:
    """Write the documents into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, document in documents().items():
        (folder / name).write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
