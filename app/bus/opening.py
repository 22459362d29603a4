"""Which bus a deployment has: its database's, or that of the NATS servers which it names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from app.bus.address import nats_address
from app.bus.doorbell import Bus
from app.bus.postgres import PostgresBus


def open_bus(bus_url: str | None, database_url: str, name: Callable[[], Awaitable[str]]) -> Bus:
    """Return the bus of a deployment; ``name`` tells its database's from others on one NATS."""
    if bus_url is None:
        return PostgresBus(database_url)
    # Only where it is used: its driver comes with an extra.
    from app.bus.nats import NatsBus  # noqa: PLC0415

    return NatsBus(nats_address(bus_url), name)


async def try_nats(bus_url: str) -> None:
    """Find out whether a NATS server lets us in.

    Raises:
        ConnectionError: none does.
    """
    from app.bus.nats import connected, is_away  # noqa: PLC0415

    try:
        async with connected(nats_address(bus_url)):
            pass
    except Exception as error:
        if is_away(error):
            raise ConnectionError(type(error).__name__) from None
        raise
