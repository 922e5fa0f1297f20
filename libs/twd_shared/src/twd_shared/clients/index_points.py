"""One connection's points in one collection of the schema index: the only way to read or write.

A handle demands the connection when it is made, and every request that it sends is limited to it:
one user's tables are never found, counted or deleted for another.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from qdrant_client import QdrantClient, models

from twd_shared.clients.index_layout import DENSE, RANKING_KEYS, TERMS, Hit, Point, Rewriting
from twd_shared.clients.qdrant import batches, index_errors, query, scroll, send, upsert
from twd_shared.terms.sparse import SparseTerms

_T = TypeVar("_T")

_IDS = 1024
_MARKS = 256


class _Facet(msgspec.Struct):
    value: str
    count: int


class _Facets(msgspec.Struct):
    hits: list[_Facet]


class ConnectionPoints:
    """The points of `connection_id` in the physical collection `collection`."""

    def __init__(self, client: QdrantClient, collection: str, connection_id: str) -> None:
        """`client` is shared. Raises ValueError without a connection, TypeError if not text."""
        if not isinstance(connection_id, str):
            # A number would match nothing, which looks like an empty index.
            raise TypeError(f"A connection is named by text, not by {connection_id!r}.")
        if not connection_id:
            raise ValueError("The schema index is read for one connection; name it.")
        self._client = client
        self._collection = collection
        self._own = models.FieldCondition(
            key="connection_id", match=models.MatchValue(value=connection_id)
        )
        self._only = models.Filter(must=[self._own])
        self._own_json = {"key": "connection_id", "match": {"value": connection_id}}

    def nearest(
        self,
        questions: Sequence[tuple[Sequence[float] | None, SparseTerms | None]],
        limit: int,
    ) -> list[tuple[list[Hit], list[Hit]]]:
        """For each question its nearest points by dense vector and by terms, best first.

        A question is a (dense vector, terms) pair; what is None or without terms is not asked and
        gives []. Payloads hold `RANKING_KEYS` only. All questions go in few requests.
        """
        searches: list[dict[str, Any]] = []
        for dense, terms in questions:
            if dense is not None:
                searches.append(self._search(dense, DENSE, limit))
            if terms is not None and terms.indices:
                searches.append(self._search(_sparse(terms), TERMS, limit))
        answers = (
            [Hit(point.score, point.payload or {}) for point in points]
            for points in query(self._client, self._collection, searches)
        )
        return [
            (
                next(answers) if dense is not None else [],
                next(answers) if terms is not None and terms.indices else [],
            )
            for dense, terms in questions
        ]

    def payloads(
        self, point_ids: Sequence[str], keys: Sequence[str] | None = None
    ) -> dict[str, Mapping[str, Any]]:
        """Payloads by point id, of those ids that are the connection's own.

        Of whole payloads, or of these keys of them.
        """
        found: dict[str, Mapping[str, Any]] = {}
        for start in range(0, len(point_ids), _IDS):
            of_these = {"has_id": list(point_ids[start : start + _IDS])}
            found.update(self._scroll([of_these], True if keys is None else list(keys)))
        return found

    def held(self, keys: Sequence[str]) -> dict[str, Mapping[str, Any]]:
        """These payload keys by point id, of everything the collection holds of the connection."""
        return dict(self._scroll([], list(keys)))

    def marked(self, mark: str, keys: Sequence[str]) -> list[Mapping[str, Any]]:
        """These payload keys of the points of which the payload key `mark` is true."""
        condition = {"key": mark, "match": {"value": True}}
        return [payload for _, payload in self._scroll([condition], list(keys))]

    def marks(self) -> dict[str, int]:
        """How many points of the connection have which `content_mark`, exactly; 256 at most."""
        body = {
            "key": "content_mark",
            "limit": _MARKS,
            "exact": True,
            "filter": {"must": [self._own_json]},
        }
        found = self._send("POST", "facet", msgspec.json.encode(body), _Facets)
        return {hit.value: hit.count for hit in found.hits if hit.count}

    def count(self) -> int:
        """How many points the collection holds of the connection, exactly."""
        with index_errors(self._client):
            return self._client.count(self._collection, count_filter=self._only, exact=True).count

    def upsert(self, points: Iterable[Point]) -> None:
        """Write the points; they are durable and searchable when this returns."""
        upsert(
            self._client,
            self._collection,
            (
                {
                    "id": point.point_id,
                    "vector": {DENSE: point.dense, TERMS: _sparse(point.terms)},
                    "payload": point.payload,
                }
                for point in points
            ),
        )

    def rewrite(self, points: Iterable[Rewriting]) -> None:
        """Write terms and whole payloads of points that exist; their dense vectors stay.

        The payload, which says what a point holds, is written last.
        """
        encoded = (
            msgspec.json.encode(
                {
                    "update_vectors": {
                        "points": [{"id": point.point_id, "vector": {TERMS: _sparse(point.terms)}}]
                    }
                }
            )
            + b","
            + msgspec.json.encode(
                {"overwrite_payload": {"payload": point.payload, "points": [point.point_id]}}
            )
            for point in points
        )
        for batch in batches(encoded):
            body = b'{"operations":' + batch + b"}"
            self._send("POST", "points/batch", body, list[dict[str, Any]])

    def delete(self, point_ids: Sequence[str]) -> None:
        """Delete those of the points that are the connection's own."""
        if point_ids:
            only_these = models.Filter(
                must=[self._own, models.HasIdCondition(has_id=list(point_ids))]
            )
            with index_errors(self._client):
                self._client.delete(
                    self._collection, models.FilterSelector(filter=only_these), wait=True
                )

    def delete_all(self) -> None:
        """Delete every point of the connection."""
        with index_errors(self._client):
            self._client.delete(
                self._collection, models.FilterSelector(filter=self._only), wait=True
            )

    def _search(
        self, nearest: Sequence[float] | Mapping[str, Sequence[float]], using: str, limit: int
    ) -> dict[str, Any]:
        return {
            "query": nearest,
            "using": using,
            "filter": {"must": [self._own_json]},
            "limit": limit,
            "with_payload": list(RANKING_KEYS),
        }

    def _scroll(
        self, conditions: Sequence[Mapping[str, Any]], keys: list[str] | bool
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        must = {"must": [self._own_json, *conditions]}
        request = {"filter": must, "with_payload": keys}
        for record in scroll(self._client, self._collection, request):
            yield str(record.id), record.payload or {}

    def _send(self, method: str, path: str, body: bytes, kind: type[_T]) -> _T:
        return send(self._client, self._collection, method, path, body, kind)


def _sparse(terms: SparseTerms) -> dict[str, Sequence[float]]:
    return {"indices": terms.indices, "values": terms.values}
