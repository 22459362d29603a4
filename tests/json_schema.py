"""The part of JSON Schema that pydantic writes, for checking real messages by the real documents.

A keyword that is not known here is an error, so that nothing is passed over in
silence.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

#: Keywords that describe and do not constrain.
_REMARKS = {"title", "description", "default", "discriminator", "examples", "format", "$defs"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "null": type(None),
}


class Mismatch(AssertionError):
    """A value does not have the form that its schema describes."""


def check(value: Any, schema: Mapping[str, Any], components: Mapping[str, Any]) -> None:
    """Check a value; ``components`` are the schemas that ``$ref`` may name.

    Raises:
        Mismatch: the value breaks the schema, or the schema uses what is not known.
    """
    _Checking(components).at("$", value, schema)


class _Checking:
    def __init__(self, components: Mapping[str, Any]) -> None:
        self._components = components

    def at(self, where: str, value: Any, schema: Mapping[str, Any]) -> None:
        for keyword, given in schema.items():
            if keyword in _REMARKS or keyword == "additionalProperties":
                continue
            rule = getattr(self, "_" + keyword.removeprefix("$"), None)
            if rule is None:
                raise Mismatch(f"{where}: the schema uses {keyword}")
            rule(where, value, given)
        if isinstance(value, dict) and "additionalProperties" in schema:
            self._additional(where, value, schema)

    def _additional(self, where: str, value: dict[str, Any], schema: Mapping[str, Any]) -> None:
        more = schema["additionalProperties"]
        for name in value.keys() - schema.get("properties", {}).keys():
            if more is False:
                raise Mismatch(f"{where}: {name} is not in the schema")
            if isinstance(more, dict):
                self.at(f"{where}.{name}", value[name], more)

    def _ref(self, where: str, value: Any, given: str) -> None:
        self.at(where, value, self._components[given.rsplit("/", 1)[-1]])

    def _type(self, where: str, value: Any, given: str) -> None:
        wrong_bool = isinstance(value, bool) and given != "boolean"
        if wrong_bool or not isinstance(value, _TYPES[given]):
            raise Mismatch(f"{where}: is {type(value).__name__}, not {given}")

    def _properties(self, where: str, value: Any, given: Mapping[str, Any]) -> None:
        for name, schema in given.items():
            if name in value:
                self.at(f"{where}.{name}", value[name], schema)

    def _required(self, where: str, value: Any, given: list[str]) -> None:
        missing = [name for name in given if name not in value]
        if missing:
            raise Mismatch(f"{where}: {missing} are required")

    def _items(self, where: str, value: Any, given: Mapping[str, Any]) -> None:
        for place, inner in enumerate(value):
            self.at(f"{where}[{place}]", inner, given)

    def _anyOf(self, where: str, value: Any, given: list[Mapping[str, Any]]) -> None:  # noqa: N802
        reasons = []
        for schema in given:
            try:
                return self.at(where, value, schema)
            except Mismatch as mismatch:
                reasons.append(str(mismatch))
        raise Mismatch("; ".join(reasons))

    def _const(self, where: str, value: Any, given: Any) -> None:
        if value != given:
            raise Mismatch(f"{where}: is not {given!r}")

    def _enum(self, where: str, value: Any, given: list[Any]) -> None:
        if value not in given:
            raise Mismatch(f"{where}: is none of {given}")

    def _pattern(self, where: str, value: Any, given: str) -> None:
        if re.search(given, value) is None:
            raise Mismatch(f"{where}: does not match {given}")

    def _minimum(self, where: str, value: Any, given: float) -> None:
        if value < given:
            raise Mismatch(f"{where}: is below {given}")

    def _maximum(self, where: str, value: Any, given: float) -> None:
        if value > given:
            raise Mismatch(f"{where}: is above {given}")

    def _minLength(self, where: str, value: Any, given: int) -> None:  # noqa: N802
        if len(value) < given:
            raise Mismatch(f"{where}: is shorter than {given}")

    def _maxLength(self, where: str, value: Any, given: int) -> None:  # noqa: N802
        if len(value) > given:
            raise Mismatch(f"{where}: is longer than {given}")
