"""Every choice a deployment has. Only the roots read this; all else is handed values.

Each setting is a variable ``KENTONGAN_<NAME>`` in the environment or in ``.env``;
for a secret, ``KENTONGAN_<NAME>_FILE`` may name a file that holds it.
"""

from __future__ import annotations

import os
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.bus import check_bus_url
from app.database import check_url

#: Settings that may be read from a file, as secrets are mounted.
FROM_FILES = ("database_url", "bus_url")


class Settings(BaseSettings):
    """The settings of one process."""

    model_config = SettingsConfigDict(
        env_prefix="KENTONGAN_", env_file=".env", env_ignore_empty=True, extra="ignore"
    )

    #: An outside PostgreSQL, 15 to 18; without it, the embedded one of the data
    #: directory is used.
    database_url: SecretStr | None = None
    #: The NATS servers that carry doorbells between processes; without them the
    #: database does.
    bus_url: SecretStr | None = None
    #: Where the embedded database and its socket live.
    data_dir: Path = Path("var/data")
    #: Loopback by default: the open internet needs a proxy with TLS in front.
    host: str = "127.0.0.1"
    port: int = Field(8000, ge=1, le=65535)
    #: Connections of the api: two committers, the feed, and readers.
    api_pool_size: int = Field(10, ge=4, le=100)
    #: Connections of the projector: four steps at once, the ticks, the housekeeping.
    projector_pool_size: int = Field(6, ge=6, le=50)
    #: Requests a second that one key may make; an app that sends single events
    #: needs a fraction, a loop gone wild is held.
    requests_per_second: int = Field(1_000, ge=1, le=1_000_000)
    #: Live connections of one api process, 18 KB each: in all, of one region, of one key.
    sockets: int = Field(20_000, ge=1, le=1_000_000)
    sockets_per_region: int = Field(10_000, ge=1, le=1_000_000)
    sockets_per_key: int = Field(5_000, ge=1, le=1_000_000)
    #: Origins of pages, beside our own, that may open live connections.
    allowed_origins: list[str] = []
    #: Addresses or networks of proxies whose word on where a request came from, and by http or
    #: https, is taken. None by default: whoever reaches the port could say anything.
    trusted_proxies: list[str] = []
    #: Log lines as JSON for machines, or as text for people.
    log_json: bool = False
    #: On SIGTERM, an api is unready for this many seconds before it takes no more, so
    #: that a balancer sends it nothing that would find a closed door.
    drain_seconds: float = Field(0, ge=0, le=120)
    #: On SIGTERM, requests under way get this many seconds to finish.
    shutdown_seconds: int = Field(10, ge=1, le=120)

    @field_validator("database_url")
    @classmethod
    def check_database_url(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse what could never be a database's address."""
        if url is not None:
            check_url(url.get_secret_value())
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def check_trusted_proxies(cls, proxies: list[str]) -> list[str]:
        """Refuse what is no address: a name, or everybody."""
        for proxy in proxies:
            ip_network(proxy, strict=False)
        return proxies

    @field_validator("bus_url")
    @classmethod
    def check_bus_url(cls, url: SecretStr | None) -> SecretStr | None:
        """Refuse what could never be a bus's address, or one that nothing here could speak to."""
        if url is not None:
            check_bus_url(url.get_secret_value())
        return url

    @model_validator(mode="before")
    @classmethod
    def read_files(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Fill in secrets that files hold."""
        for name in FROM_FILES:
            path = os.environ.get(f"KENTONGAN_{name.upper()}_FILE")
            if path and not values.get(name):
                values[name] = _secret_in(path, f"KENTONGAN_{name.upper()}_FILE")
        return values


def _secret_in(path: str, variable: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{variable} names a file that cannot be read") from error
