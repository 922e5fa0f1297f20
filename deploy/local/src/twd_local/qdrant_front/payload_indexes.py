"""Payload indexes: from the server's field schemas to the engine's.

Belongs here: index kinds and their parameters. Not here: creating the index (`collection.py`).
"""

from __future__ import annotations

from typing import Any

import qdrant_edge as edge

from twd_local.qdrant_front.errors import bad_format
from twd_local.qdrant_front.fields import Json, as_object
from twd_local.qdrant_front.vectors import enum_member

_PARAMS: dict[str, Any] = {
    "keyword": edge.KeywordIndexParams,
    "integer": edge.IntegerIndexParams,
    "float": edge.FloatIndexParams,
    "geo": edge.GeoIndexParams,
    "text": edge.TextIndexParams,
    "bool": edge.BoolIndexParams,
    "datetime": edge.DatetimeIndexParams,
    "uuid": edge.UuidIndexParams,
}


def index_schema(value: Any) -> tuple[Any, Json]:
    """Return the engine's schema and what to report as {data_type, params}. Raises: ApiError 400.

    `value` is a type name ("keyword") or an object with `type` and that type's parameters.
    """
    if isinstance(value, str):
        return _kind(value), {"data_type": value}
    params = {
        name: one for name, one in as_object(value, "field_schema").items() if one is not None
    }
    kind = str(params.get("type", ""))
    _kind(kind)
    arguments = {name: _argument(name, one) for name, one in params.items() if name != "type"}
    try:
        return _PARAMS[kind](**arguments), {"data_type": kind, "params": params}
    except TypeError as error:
        raise bad_format(f"field_schema: {error}") from None


def _kind(name: str) -> Any:
    if name not in _PARAMS:
        raise bad_format(f"field_schema: unknown variant `{name}`, expected one of {list(_PARAMS)}")
    return enum_member(edge.PayloadSchemaType, name, "field_schema")


def _argument(name: str, value: Any) -> Any:
    if name == "tokenizer":
        return enum_member(edge.TokenizerType, value, name)
    if name == "memory":
        return enum_member(edge.Memory, value, name)
    if name == "stopwords":
        if isinstance(value, str):
            return enum_member(edge.Language, value, name)
        words = as_object(value, name)
        languages = {enum_member(edge.Language, one, name) for one in words.get("languages") or []}
        return edge.StopwordsSet(languages, set(words.get("custom") or []))
    if name == "stemmer":
        stemmer = as_object(value, name)
        if stemmer.get("type") == "none":
            return edge.DisabledStemmer()
        return edge.SnowballParams(
            enum_member(edge.SnowballLanguage, stemmer.get("language"), name)
        )
    return value
