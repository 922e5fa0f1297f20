"""What a person decides over the gate: serving the held version, and going back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from twd_shared.errors import UnknownConnection
from twd_training.knowledge_base import material
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.held_alerts import HeldAlerts
from twd_training.knowledge_base.names import Part, alias_of, collection_of
from twd_training.knowledge_base.promotion import Decisions, Served, VersionNotKept
from twd_training.knowledge_base.versions import ModelVersions
from twd_training.model_command import main

from .conftest import Location
from .test_gate import without
from .trained_shop import TrainedShop

pytestmark = pytest.mark.integration


@pytest.fixture
def shop(location: Location, ollama_url: str) -> TrainedShop:
    """A shop with twelve tables, trained and served as version 1."""
    made = TrainedShop(location, ollama_url)
    made.read()
    made.train()
    return made


def train_held(shop: TrainedShop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a version without cards, which the gate holds; the next one has them."""
    with monkeypatch.context() as without_cards:
        without_cards.setattr(material, "documents_of", without("card"))
        assert shop.train().published.held is not None


@pytest.fixture
def holding(shop: TrainedShop, monkeypatch: pytest.MonkeyPatch) -> TrainedShop:
    """The shop with version 2 held, which has a new column and no cards."""
    shop.change("campaign", "agency")
    monkeypatch.setattr(material, "documents_of", without("card"))
    shop.train()
    assert shop.held is not None
    return shop


@pytest.fixture
def trained_twice(shop: TrainedShop) -> TrainedShop:
    """The shop with version 2 served, which has a new column."""
    shop.change("campaign", "agency")
    shop.train()
    assert shop.live.version == 2
    return shop


# --- promotion ------------------------------------------------------------------------------


def test_the_held_version_is_served_and_the_alert_is_over(holding: TrainedShop) -> None:
    done = holding.decisions.promote()
    assert (done.version, done.before, done.is_done) == (2, 1, True)
    assert (holding.live.version, holding.held) == (2, None)
    assert any("agency" in text for text in holding.served_texts())
    assert holding.alerts() == [("failure", False), ("recovered", True)]
    assert holding.collections.present() == {1, 2}


def test_what_a_person_went_back_from_stays_held_when_an_alias_is_lost(
    trained_twice: TrainedShop,
) -> None:
    trained_twice.decisions.go_back()
    trained_twice.lose_alias("sql")
    trained_twice.train()
    assert (trained_twice.live.version, trained_twice.collections.served()) == (1, 1)
    assert trained_twice.held is not None


def test_from_when_on_each_version_was_served_is_recorded(holding: TrainedShop) -> None:
    holding.train()
    holding.decisions.promote()
    holding.decisions.promote()
    holding.decisions.go_back()
    assert holding.servings() == [1, 2, 1]


def test_what_was_promoted_stays_served_by_the_next_training(holding: TrainedShop) -> None:
    holding.decisions.promote()
    published = holding.train().published
    assert (published.is_new, published.held, holding.live.version) == (False, None, 2)


def test_promoting_twice_does_it_once(holding: TrainedShop) -> None:
    holding.decisions.promote()
    again = holding.decisions.promote()
    assert (again.version, again.is_done) == (2, False)


def test_why_it_was_held_stays_recorded(holding: TrainedShop) -> None:
    held = holding.held
    assert held is not None
    holding.decisions.promote()
    assert (holding.live.comparison or {})["promoted_against"] == held.held_reason


def test_what_is_promoted_lacks_what_is_wrong_by_now(holding: TrainedShop) -> None:
    holding.tables = [item for item in holding.tables if item.name != "review"]
    holding.read()
    assert holding.decisions.promote().withdrawn > 0
    assert not [text for text in holding.served_texts() if "review" in text]


def test_an_untrained_database_cannot_be_promoted(location: Location, ollama_url: str) -> None:
    with pytest.raises(UnknownConnection, match="has no knowledge base"):
        TrainedShop(location, ollama_url).decisions.promote()


@pytest.mark.parametrize("part", ["ddl", "langchain"])
def test_a_held_version_that_lost_a_part_is_not_promoted(holding: TrainedShop, part: Part) -> None:
    holding.lose_collection(part, 2)
    lost = f"has lost {collection_of(holding.location.key, part, 2)}"
    with pytest.raises(VersionNotKept, match=lost):
        holding.decisions.promote()
    assert holding.live.version == 1


# --- going back -----------------------------------------------------------------------------


@pytest.mark.parametrize("part", ["ddl", "langchain", "memory"])
def test_a_version_before_that_lost_a_part_is_not_gone_back_to(
    trained_twice: TrainedShop, part: Part
) -> None:
    trained_twice.lose_collection(part, 1)
    lost = f"has lost {collection_of(trained_twice.location.key, part, 1)}"
    with pytest.raises(VersionNotKept, match=lost):
        trained_twice.decisions.go_back()
    assert (trained_twice.live.version, trained_twice.held) == (2, None)


def test_a_version_that_was_published_without_a_memory_is_gone_back_to(
    trained_twice: TrainedShop,
) -> None:
    trained_twice.lose_collection("memory", 1)
    memory = alias_of(trained_twice.location.key, "memory")
    trained_twice.location.execute_metadata(
        f"update twd.model_versions set collections = collections - '{memory}' where version = 1"
    )
    assert trained_twice.decisions.go_back().version == trained_twice.live.version == 1


def test_the_version_before_is_served_again(trained_twice: TrainedShop) -> None:
    done = trained_twice.decisions.go_back()
    assert (done.version, done.before, done.is_done) == (1, 2, True)
    assert trained_twice.live.version == 1
    assert trained_twice.held is not None
    assert trained_twice.held.held_reason == "A person went back from it to version 1."
    assert trained_twice.collections.present() == {1, 2}


def test_going_back_serves_nothing_that_is_wrong_by_now(trained_twice: TrainedShop) -> None:
    # The DDL of version 1 lacks the column that version 2 has.
    assert trained_twice.decisions.go_back().withdrawn == 1
    texts = trained_twice.served_texts()
    assert not [text for text in texts if "CREATE TABLE public.campaign" in text]
    assert len([text for text in texts if text.startswith("CREATE TABLE")]) == 11
    assert trained_twice.live.ddl_count == 11


def test_what_a_person_left_is_not_served_by_the_next_training(
    trained_twice: TrainedShop,
) -> None:
    trained_twice.decisions.go_back()
    published = trained_twice.train().published
    assert published.held is not None
    assert (published.is_new, trained_twice.live.version, published.held.version) == (False, 1, 2)
    # Whoever went back need not be told.
    assert trained_twice.alerts() == []


def test_new_content_is_judged_beside_what_was_gone_back_to(trained_twice: TrainedShop) -> None:
    trained_twice.decisions.go_back()
    trained_twice.change("voucher", "owner")
    published = trained_twice.train().published
    assert published.held is None
    assert (trained_twice.live.comparison or {})["live_version"] == 1
    assert trained_twice.collections.present() == {1, 3}


def test_going_back_twice_does_it_once(trained_twice: TrainedShop) -> None:
    trained_twice.decisions.go_back()
    again = trained_twice.decisions.go_back()
    assert (again.version, again.is_done) == (1, False)
    assert trained_twice.live.version == 1


def test_what_was_left_can_be_promoted_again(trained_twice: TrainedShop) -> None:
    trained_twice.decisions.go_back()
    assert trained_twice.decisions.promote().version == 2
    assert trained_twice.live.version == 2
    assert trained_twice.decisions.go_back().version == 1


def test_what_was_left_can_be_promoted_again_though_the_gate_held_a_newer_one(
    trained_twice: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_twice.change("voucher", "owner")
    train_held(trained_twice, monkeypatch)
    trained_twice.decisions.go_back()
    assert trained_twice.held is not None
    assert trained_twice.held.version == 2
    assert trained_twice.decisions.promote().version == 2


def test_what_only_a_held_version_had_is_asked_for_when_an_older_one_is_promoted(
    trained_twice: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_twice.teach("Which vouchers are there?", "select voucher_id from voucher")
    train_held(trained_twice, monkeypatch)
    trained_twice.decisions.go_back()
    assert not trained_twice.is_training_wished()
    trained_twice.decisions.promote()
    assert trained_twice.live.version == 2
    assert trained_twice.is_training_wished()
    trained_twice.train()
    assert trained_twice.live.version == 4
    assert any("Which vouchers are there?" in text for text in trained_twice.served_texts())
    assert not trained_twice.is_training_wished()


def test_what_was_told_of_a_version_that_going_back_drops_is_over(
    trained_twice: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_twice.change("voucher", "owner")
    monkeypatch.setattr(material, "documents_of", without("card"))
    trained_twice.train()
    assert trained_twice.alerts() == [("failure", True)]
    trained_twice.decisions.go_back()
    assert trained_twice.alerts() == [("failure", False)]
    # It is held again, beside the version that was gone back to.
    trained_twice.train()
    assert trained_twice.alerts() == [("failure", False), ("failure", True)]


def test_there_is_nothing_to_go_back_to_from_a_first_version(shop: TrainedShop) -> None:
    with pytest.raises(VersionNotKept, match="has no earlier version of its knowledge base"):
        shop.decisions.go_back()
    assert shop.live.version == 1


@pytest.mark.parametrize("decision", [Decisions.promote, Decisions.go_back])
def test_of_a_paused_connection_nothing_is_served(
    trained_twice: TrainedShop, decision: Callable[[Decisions], Served]
) -> None:
    trained_twice.location.store.connections.deactivate(trained_twice.location.connection_id)
    with pytest.raises(UnknownConnection, match="is paused or was removed in the application"):
        decision(trained_twice.decisions)
    assert trained_twice.live.version == 2


# --- beside a training ----------------------------------------------------------------------


def waits_for(holder: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """The next to hold the knowledge base has to wait until `holder` is done with it."""
    exclusive = ModelVersions.exclusive

    def wait(self: ModelVersions, connection_id: str) -> Any:
        monkeypatch.setattr(ModelVersions, "exclusive", exclusive)
        holder()
        return exclusive(self, connection_id)

    monkeypatch.setattr(ModelVersions, "exclusive", wait)


def test_going_back_from_a_version_that_was_made_meanwhile_is_left_to_the_person(
    trained_twice: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained_twice.change("voucher", "owner")
    waits_for(trained_twice.train, monkeypatch)
    with pytest.raises(VersionNotKept, match=r"A training of .* while this waited for it"):
        trained_twice.decisions.go_back()
    assert (trained_twice.live.version, trained_twice.held) == (3, None)
    assert trained_twice.decisions.go_back().version == 2


def test_a_version_that_was_held_meanwhile_is_not_promoted_unseen(
    holding: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    holding.change("voucher", "owner")
    waits_for(holding.train, monkeypatch)
    with pytest.raises(VersionNotKept, match=r"A training of .* while this waited for it"):
        holding.decisions.promote()
    assert holding.live.version == 1
    assert holding.decisions.promote().version == 3


def test_what_another_person_decided_meanwhile_is_not_undone_unseen(
    trained_twice: TrainedShop, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits_for(trained_twice.decisions.go_back, monkeypatch)
    with pytest.raises(VersionNotKept, match="or another decision, has changed which versions"):
        trained_twice.decisions.promote()
    assert trained_twice.live.version == 1


# --- killed ---------------------------------------------------------------------------------


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


STEPS = [
    (ModelVersions, "hold"),
    (Collections, "serve"),
    (ModelVersions, "make_live"),
]


@pytest.mark.parametrize(("owner", "step"), STEPS)
def test_going_back_can_be_done_again_when_it_was_killed(
    trained_twice: TrainedShop, monkeypatch: pytest.MonkeyPatch, owner: type, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            trained_twice.decisions.go_back()
    trained_twice.decisions.go_back()
    assert trained_twice.live.version == 1
    assert trained_twice.held is not None
    assert trained_twice.held.version == 2


@pytest.mark.parametrize(("owner", "step"), [*STEPS, (HeldAlerts, "tell_none_held")])
def test_a_promotion_can_be_done_again_when_it_was_killed(
    holding: TrainedShop, monkeypatch: pytest.MonkeyPatch, owner: type, step: str
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(owner, step, _killed)
        with pytest.raises(KeyboardInterrupt):
            holding.decisions.promote()
    holding.decisions.promote()
    assert (holding.live.version, holding.held) == (2, None)
    assert holding.alerts() == [("failure", False), ("recovered", True)]


# --- the command ----------------------------------------------------------------------------


@pytest.fixture
def environment(location: Location, services: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWD_METADATA_DSN", location.store.dsn)
    monkeypatch.setenv("QDRANT_URL", services.qdrant)
    monkeypatch.setenv("TWD_EMBED_MODEL", services.embed_model)


@pytest.mark.usefixtures("environment")
def test_the_commands_say_in_a_line_what_they_did(
    trained_twice: TrainedShop, capsys: pytest.CaptureFixture[str]
) -> None:
    key = trained_twice.location.key
    said: list[str] = []
    for command in ("rollback", "rollback", "promote", "promote"):
        assert main([command, key]) == 0
        said.append(capsys.readouterr().out.removeprefix(f"{key}: "))
    assert said == [
        "version 1 is served instead of version 2, without 1 document wrong by now.\n",
        "version 1 is served, and it was gone back to before; nothing to do.\n",
        "version 2 is served instead of version 1.\n",
        "version 2 is served, and no version is held back; nothing to do.\n",
    ]


@pytest.mark.usefixtures("environment")
def test_the_commands_say_when_another_model_is_needed_to_ask(
    trained_twice: TrainedShop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = trained_twice.live.model
    monkeypatch.setenv("TWD_EMBED_MODEL", "a-newer-model")
    assert main(["rollback", trained_twice.location.key]) == 0
    assert capsys.readouterr().out.endswith(
        f"\nIts vectors are of model {model}, and TWD_EMBED_MODEL is a-newer-model: readers must "
        f"ask with {model} as long as it is served.\n"
    )


@pytest.mark.usefixtures("environment")
def test_a_command_that_fails_says_why_and_ends_with_2(
    shop: TrainedShop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rollback", shop.location.key]) == 2
    assert "no earlier version of its knowledge base" in capsys.readouterr().err
    assert main(["promote", "nothing-of-that-name"]) == 2
    assert "No database 'nothing-of-that-name' is connected" in capsys.readouterr().err
