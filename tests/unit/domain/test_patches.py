"""Merge patches between documents."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.domain.patches import apply, difference

names = st.text(max_size=3) | st.sampled_from(["a", "b", "__proto__", "36.71"])
documents = st.recursive(
    st.dictionaries(names, st.integers() | st.text(max_size=2) | st.booleans(), max_size=4),
    lambda inner: st.dictionaries(names, inner | st.integers(), max_size=4),
    max_leaves=12,
)


@given(documents, documents)
def test_the_difference_leads_from_the_one_to_the_other(
    old: dict[str, Any], new: dict[str, Any]
) -> None:
    kept = copy.deepcopy(old)
    result = apply(old, difference(old, new))
    assert repr_sorted(result) == repr_sorted(new)
    assert old == kept


@given(documents)
def test_equal_documents_need_no_patch(document: dict[str, Any]) -> None:
    assert difference(document, copy.deepcopy(document)) == {}


def test_true_and_one_are_different() -> None:
    assert difference({"a": 1}, {"a": True}) == {"a": True}


def test_the_cases_of_rfc_7396_without_arrays() -> None:
    """Appendix A of the RFC, as far as documents of ours can hold them."""
    for document, patch, result in (
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"e": 1}, {"a": 1}, {"e": 1, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ):
        assert apply(document, patch) == result


def repr_sorted(value: Any) -> str:
    """Tell values apart that Python calls equal, such as 1 and True."""
    if isinstance(value, dict):
        inner = (f"{key!r}: {repr_sorted(value[key])}" for key in sorted(value))
        return "{" + ", ".join(inner) + "}"
    return repr(value)
