"""From JSON to the engine: point ids, filters, payload and vector selectors.

Belongs here: what reads and writes both use. Not here: vectors (`vectors.py`), queries.
"""

from __future__ import annotations

from typing import Any, cast
from uuid import UUID

import numpy
import qdrant_edge as edge

from twd_local.qdrant_front.errors import bad_format, unsupported
from twd_local.qdrant_front.fields import Fields, Json, as_list, as_object

_MATCHES: dict[str, Any] = {
    "value": edge.MatchValue,
    "text": edge.MatchText,
    "text_any": edge.MatchTextAny,
    "phrase": edge.MatchPhrase,
    "prefix": edge.MatchPrefix,
    "substring": edge.MatchSubstring,
    "any": edge.MatchAny,
    "except": edge.MatchExcept,
}


def point_id(value: Any) -> int | str:
    """Return a valid point id, UUIDs in their canonical spelling. Raises: ApiError 400."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64:
        return value
    if isinstance(value, str):
        try:
            return str(UUID(value))
        except ValueError:
            pass
    raise bad_format(
        f"value {value} is not a valid point ID, "
        "valid values are either an unsigned integer or a UUID"
    )


def point_ids(value: Any) -> list[Any]:
    """Return the ids of a JSON list. Raises: ApiError 400."""
    return [point_id(item) for item in as_list(value, "points")]


def filter_of(value: Any) -> edge.Filter | None:
    """Return the engine's filter, or None when `value` is None. Raises: ApiError 400."""
    if value is None:
        return None
    fields = Fields(value, "filter")
    minimum: edge.MinShould | None = None
    if "min_should" in fields:
        inner = Fields(fields.take("min_should"), "min_should")
        minimum = edge.MinShould(
            _conditions(inner.need("conditions")) or [], inner.integer("min_count", 0)
        )
        inner.finish()
    result = edge.Filter(
        must=_conditions(fields.take("must")),
        should=_conditions(fields.take("should")),
        must_not=_conditions(fields.take("must_not")),
        min_should=minimum,
    )
    fields.finish()
    return result


def without_ids(wanted: edge.Filter | None, ids: list[Any]) -> edge.Filter | None:
    """Return a filter that also leaves out `ids`."""
    if not ids:
        return wanted
    return edge.Filter(
        must=[wanted] if wanted is not None else None,
        must_not=[edge.HasIdCondition(set(ids))],
    )


def _conditions(value: Any) -> list[Any] | None:
    if value is None:
        return None
    items = cast("list[Any]", value) if isinstance(value, list) else [value]
    # Inside a nested filter the engine takes an empty `should` for "nothing fits".
    return [_condition(item) for item in items] or None


def _condition(value: Any) -> Any:
    body = as_object(value, "condition")
    if "key" in body:
        return _field_condition(Fields(body, "condition"))
    fields = Fields(body, "condition")
    result: Any
    if "is_empty" in fields:
        result = edge.IsEmptyCondition(Fields(fields.take("is_empty"), "is_empty").text("key"))
    elif "is_null" in fields:
        result = edge.IsNullCondition(Fields(fields.take("is_null"), "is_null").text("key"))
    elif "has_id" in fields:
        result = edge.HasIdCondition(set(point_ids(fields.take("has_id"))))
    elif "has_vector" in fields:
        result = edge.HasVectorCondition(fields.text("has_vector"))
    elif "nested" in fields:
        nested = Fields(fields.take("nested"), "nested")
        inner = filter_of(nested.need("filter")) or edge.Filter()
        result = edge.NestedCondition(nested.text("key"), inner)
        nested.finish()
    elif any(name in fields for name in ("must", "should", "must_not", "min_should")):
        return filter_of(body)
    else:
        raise unsupported(f"the condition {sorted(body)}")
    fields.finish()
    return result


def _field_condition(fields: Fields) -> edge.FieldCondition:
    key = fields.text("key")
    arguments: dict[str, Any] = {
        name: fields.take(name) for name in ("is_empty", "is_null") if name in fields
    }
    try:
        if "match" in fields:
            arguments["match"] = _match(as_object(fields.take("match"), "match"))
        if "range" in fields:
            arguments["range"] = _range(as_object(fields.take("range"), "range"))
        if "values_count" in fields:
            arguments["values_count"] = edge.ValuesCount(**_given(fields.take("values_count")))
        if "geo_radius" in fields:
            radius = as_object(fields.take("geo_radius"), "geo_radius")
            arguments["geo_radius"] = edge.GeoRadius(
                edge.GeoPoint(**radius["center"]), float(radius["radius"])
            )
        if "geo_bounding_box" in fields:
            box = as_object(fields.take("geo_bounding_box"), "geo_bounding_box")
            arguments["geo_bounding_box"] = edge.GeoBoundingBox(
                edge.GeoPoint(**box["top_left"]), edge.GeoPoint(**box["bottom_right"])
            )
        fields.finish()
        if not arguments:
            raise bad_format(f"condition on `{key}` asks for nothing")
        return edge.FieldCondition(key, **arguments)
    except (TypeError, KeyError, ValueError, OverflowError) as error:
        raise bad_format(f"condition on `{key}` is malformed: {error}") from None


def _match(body: Json) -> Any:
    if len(body) != 1 or next(iter(body)) not in _MATCHES:
        raise bad_format(f"match: expected one of {', '.join(_MATCHES)}")
    kind, value = next(iter(body.items()))
    if isinstance(value, bool):
        # The engine reads a Python bool as an integer and finds nothing; numpy's it reads well.
        value = numpy.bool_(value)
    return _MATCHES[kind](value)


def _range(body: Json) -> Any:
    given = _given(body)
    if any(isinstance(value, str) for value in given.values()):
        return edge.RangeDateTime(**given)
    return edge.RangeFloat(**given)


def _given(body: Json) -> Json:
    return {name: value for name, value in body.items() if value is not None}


def payload_selector(value: Any, default: bool) -> Any:
    """Return the engine's form of `with_payload`. Raises: ApiError 400."""
    if value is None:
        return default
    if isinstance(value, (bool, list)):
        return cast(Any, value)
    fields = Fields(value, "with_payload")
    if "include" in fields:
        result: Any = edge.PayloadSelector.Include(as_list(fields.take("include"), "include"))
    else:
        result = edge.PayloadSelector.Exclude(as_list(fields.need("exclude"), "exclude"))
    fields.finish()
    return result


def vector_selector(value: Any) -> Any:
    """Return the engine's form of `with_vector`. Raises: ApiError 400."""
    if value is None:
        return False
    if isinstance(value, (bool, list)):
        return cast(Any, value)
    raise bad_format("with_vector: expected a boolean or a list of names")
