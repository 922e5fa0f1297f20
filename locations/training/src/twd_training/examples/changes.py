"""Which connections have to be trained although no automation condition will ask for it."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from twd_shared.store.connections import RegisteredConnection

_OF_MODEL = "model "


def is_of_model(wish: str) -> bool:
    """Whether a wish is for another embedding model alone: all connections have it at once."""
    return wish.startswith(_OF_MODEL)


def wishes_of(
    connections: Iterable[RegisteredConnection],
    *,
    now: Mapping[str, str],
    published: Mapping[str, str | None],
    live: Mapping[str, int],
    indexed: Mapping[str, int],
    vanished: Container[str],
    trained: Mapping[str, Container[str]],
    model: str | None,
) -> dict[str, str]:
    """What to train for, by connection id; a new wish has a new text.

    All mappings are by connection id. `now` and `published` are markers of users' training data;
    `live` and `indexed` the snapshot versions of the knowledge base and of the schema index, the
    latter only where it was published a while ago: until then the automation conditions do their
    work. They ask once; a training that failed, or was removed and is needed again, is asked for
    here. `vanished` are connections whose knowledge base Qdrant does not serve any more. `trained`
    are the models of the knowledge bases, as `ModelVersions.trained_models` names them, and `model`
    the one that the server has now; None = nobody knows.
    """
    wishes: dict[str, str] = {}
    for connection in connections:
        key = connection.connection_id
        if not connection.is_active:
            continue
        if indexed.get(key, 0) > live.get(key, 0):
            wishes[key] = f"snapshot {indexed[key]}"
        elif key in live and key in published and published[key] != now.get(key, ""):
            wishes[key] = f"training data {now.get(key, '')}"
        elif key in vanished:
            wishes[key] = "vanished"
        elif model and key in trained and model not in trained[key]:
            wishes[key] = f"{_OF_MODEL}{model}"
    return wishes
