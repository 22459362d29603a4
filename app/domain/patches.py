"""JSON merge patches (RFC 7396) between state documents.

Documents hold objects, strings, integers and booleans: no arrays and no null,
so that every change can be told as a patch. Documents are never changed in
place; what did not change is shared between the old and the new one.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]


def difference(old: Document, new: Document) -> Document:
    """Return the patch that turns ``old`` into ``new``.

    An empty result means that the two are equal. Members that are the same
    object in both are not looked into, which makes the difference of documents
    that share most of their parts cheap.

    Source: RFC 7396, read backwards.

    >>> difference({"a": 1, "b": {"c": 2}}, {"b": {"c": 3}, "d": 4})
    {'a': None, 'b': {'c': 3}, 'd': 4}
    """
    patch: Document = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key not in old:
            patch[key] = value
            continue
        before = old[key]
        if before is value:
            continue
        if isinstance(before, dict) and isinstance(value, dict):
            inner = difference(before, value)
            if inner:
                patch[key] = inner
        elif before != value or type(before) is not type(value):
            patch[key] = value
    return patch


def apply(document: Any, patch: Any) -> Any:
    """Return the document that ``patch`` makes of ``document``.

    Source: RFC 7396 section 2 (``MergePatch``), without changing the target.

    >>> apply({"a": 1, "b": {"c": 2}}, {"a": None, "b": {"c": 3}, "d": 4})
    {'b': {'c': 3}, 'd': 4}
    """
    if not isinstance(patch, dict):
        return patch
    result = dict(document) if isinstance(document, dict) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = apply(result.get(key), value)
    return result
