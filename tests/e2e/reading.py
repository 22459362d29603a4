"""Reading what a program serves."""

from __future__ import annotations

import contextlib
from typing import Any

import httpx

from tests.e2e.posting import Credential
from tests.e2e.waiting import eventually


async def read_state(
    client: httpx.AsyncClient, credential: Credential, path: str | None = None
) -> dict[str, Any]:
    """Return the state of the credential's region, or of ``path``."""
    path = path or f"/v1/regions/{credential.region}/state"
    answer = await client.get(path, headers=credential.headers)
    assert answer.status_code == 200, answer.text
    state: dict[str, Any] = answer.json()
    return state


async def settled(client: httpx.AsyncClient, credential: Credential, seq: int) -> dict[str, Any]:
    """Return the region's state once it is folded up to ``seq``."""

    async def ask() -> dict[str, Any] | None:
        state = await read_state(client, credential)
        return state if state["seq"] >= seq else None

    return await eventually(ask, f"{credential.region} folded up to {seq}")


async def verified(client: httpx.AsyncClient, credential: Credential) -> list[dict[str, Any]]:
    """Return the differences between the region's numbers and its log."""
    answer = await client.get(f"/v1/regions/{credential.region}/verify", headers=credential.headers)
    assert answer.status_code == 200, answer.text
    differences: list[dict[str, Any]] = answer.json()["differences"]
    return differences


async def serving(client: httpx.AsyncClient) -> None:
    """Wait until a program is ready for its work."""

    async def ready() -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await client.get("/readyz")).status_code == 200
        return False

    await eventually(ready, "a program that is ready")
