"""The address of a bus: what it may be, and that a wrong one is not repeated."""

from __future__ import annotations

import importlib.util

import pytest
from pydantic import SecretStr, ValidationError

from app.bus.address import NatsAddress, check_bus_url, nats_address
from app.settings import Settings


@pytest.mark.parametrize(
    ("url", "address"),
    [
        pytest.param("nats://kota", NatsAddress(("nats://kota:4222",)), id="a host"),
        pytest.param("nats://[::1]:4333", NatsAddress(("nats://[::1]:4333",)), id="IPv6"),
        pytest.param(
            "nats://a, nats://b:4223",
            NatsAddress(("nats://a:4222", "nats://b:4223")),
            id="a cluster",
        ),
        pytest.param(
            "tls://kentongan:s%40ndi@a,tls://b",
            NatsAddress(("tls://a:4222", "tls://b:4222"), user="kentongan", password="s@ndi"),
            id="a user, by TLS",
        ),
        pytest.param(
            "nats://rahasia@a", NatsAddress(("nats://a:4222",), token="rahasia"), id="a token"
        ),
    ],
)
def test_an_address_is_read(url: str, address: NatsAddress) -> None:
    assert nats_address(url) == address
    assert address.tls is url.startswith("tls")


@pytest.mark.parametrize(
    "url",
    [
        "rahasia",
        "redis://rahasia@kota",
        "nats://",
        "nats://rahasia@kota:empat",
        "nats://rahasia@kota:99999",
        "nats://rahasia@kota:0",
        "nats://kota/rahasia",
        "nats://kota?rahasia",
        "nats://kota,tls://rahasia@desa",
        "nats://kota,",
        "nats://[rahasia",
        "nats://ko ta",
    ],
)
def test_an_address_that_cannot_be_one_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(bus_url=SecretStr(url))
    [error] = refused.value.errors(include_input=False)
    assert error["loc"] == ("bus_url",)
    assert "nats://host:4222" in error["msg"] or "tls" in error["msg"]
    assert "rahasia" not in error["msg"]


def test_without_the_extra_an_address_is_refused_with_the_way_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("app.bus.address.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="extra `nats`"):
        check_bus_url("nats://kota")


def test_the_extra_is_looked_for_by_the_name_that_it_is_imported_by() -> None:
    assert importlib.util.find_spec("nats") is not None
    check_bus_url("nats://kota")
