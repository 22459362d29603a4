"""Where a deployment's NATS servers are, and with what they let us in."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import SplitResult, unquote, urlsplit

NATS_PORT = 4222
EXAMPLE = "nats://host:4222"


@dataclass(frozen=True, slots=True)
class NatsAddress:
    """Servers of one NATS cluster, and with what to be let in: a user or a token."""

    servers: tuple[str, ...]
    user: str | None = None
    password: str | None = None
    token: str | None = None

    @property
    def tls(self) -> bool:
        """Whether the connection has to be encrypted before anything is said."""
        return self.servers[0].startswith("tls://")


def nats_address(url: str) -> NatsAddress:
    """Read ``nats://user:password@host:4222,nats://other``; a name alone is a token.

    Raises:
        ValueError: it is no such address; what it holds is not repeated.

    >>> nats_address("nats://kota:s%40ndi@a,nats://b:4223").servers
    ('nats://a:4222', 'nats://b:4223')
    """
    parts = [_part(one.strip()) for one in url.split(",")]
    if len({part.scheme for part in parts}) > 1:
        raise ValueError("either all or none of the servers are reached by tls")
    servers = tuple(f"{part.scheme}://{_place(part)}" for part in parts)
    named = next((part for part in parts if part.username), None)
    if named is None or named.username is None:
        return NatsAddress(servers)
    if named.password is None:
        return NatsAddress(servers, token=unquote(named.username))
    return NatsAddress(servers, unquote(named.username), unquote(named.password))


def _part(url: str) -> SplitResult:
    try:
        part = urlsplit(url)
        right = part.scheme in ("nats", "tls") and bool(part.hostname) and part.port != 0
        extra = part.path.strip("/") or part.query or part.fragment
    except ValueError:
        # Not chained: the cause would quote the address, and with it a password.
        raise ValueError(f"not an address such as {EXAMPLE}") from None
    if not right or extra or any(sign.isspace() for sign in url):
        raise ValueError(f"not an address such as {EXAMPLE}")
    return part


def _place(part: SplitResult) -> str:
    host = part.hostname or ""
    return (
        f"[{host}]:{part.port or NATS_PORT}" if ":" in host else f"{host}:{part.port or NATS_PORT}"
    )


def check_bus_url(url: str) -> None:
    """Check that a URL is that of a NATS, and that this installation can speak to one.

    Raises:
        ValueError: it is not, or it cannot; what the URL holds is not repeated.
    """
    nats_address(url)
    if find_spec("nats") is None:
        raise ValueError(
            "names a NATS server, but what speaks to it is not installed:"
            " install kentongan with the extra `nats`"
        )
