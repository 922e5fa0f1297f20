"""What a list of connections asks for: a pure decision, case by case."""

from __future__ import annotations

import pytest

from twd_schema.keyed_hash import keyed_hash
from twd_schema.lifecycle.absences import Absences
from twd_schema.lifecycle.reconciliation import plan_lifecycle
from twd_shared.clients.catalog import Connection
from twd_shared.store.connections import RegisteredConnection


def listed(is_active: bool) -> Connection:
    return Connection("7", "shop", "postgresql", is_active, "postgresql://u:p@h/shop")


def known(is_active: bool) -> RegisteredConnection:
    return RegisteredConnection("7", "shop-2", "shop", "postgresql", is_active, "ok", "")


@pytest.mark.parametrize(
    ("on_list", "in_registry", "partitions", "indexed", "wanted"),
    [
        pytest.param(True, True, [], [], ("import", "add"), id="new"),
        pytest.param(True, True, ["shop-2"], [], ("import",), id="failed before"),
        pytest.param(True, True, ["shop-2"], ["7"], (), id="imported"),
        pytest.param(True, True, [], ["7"], ("add",), id="partition lost"),
        pytest.param(False, False, ["shop-2"], ["7"], ("take out",), id="paused"),
        pytest.param(False, False, ["shop-2"], [], ("take out",), id="paused before its import"),
        pytest.param(False, False, [], ["7"], ("take out",), id="paused, cut off half-way"),
        pytest.param(False, False, [], [], (), id="paused and taken out"),
        pytest.param(None, True, ["shop-2"], ["7"], ("take out",), id="deleted"),
        pytest.param(None, True, [], [], ("take out",), id="deleted before anything was made"),
        pytest.param(None, False, [], [], (), id="deleted and taken out"),
    ],
)
def test_each_state_of_a_connection_has_its_consequence(
    on_list: bool | None,
    in_registry: bool,
    partitions: list[str],
    indexed: list[str],
    wanted: tuple[str, ...],
) -> None:
    plan = plan_lifecycle(
        [] if on_list is None else [listed(on_list)], [known(in_registry)], partitions, indexed, []
    )
    assert [item.connection_id for item in plan.to_import] == ["7"] * ("import" in wanted)
    assert list(plan.partitions_to_add) == ["shop-2"] * ("add" in wanted)
    assert [item.connection_id for item in plan.to_take_out] == ["7"] * ("take out" in wanted)


def test_one_connection_does_not_decide_for_another() -> None:
    other = RegisteredConnection("8", "shop", "shop", "postgresql", True, "ok", "")
    plan = plan_lifecycle([listed(True)], [other, known(True)], ["shop", "shop-2"], ["7", "8"], [])
    assert (plan.to_import, plan.partitions_to_add) == ((), ())
    assert plan.to_take_out == (other,)


def test_what_is_untouchable_is_not_taken_out() -> None:
    plan = plan_lifecycle([], [known(True)], ["shop-2"], ["7"], {"7"})
    assert plan.to_take_out == ()


def test_an_absence_is_believed_at_the_third_tick_in_a_row() -> None:
    absences = Absences({})
    assert [absences.count({"7"}, active=1) for _ in range(3)] == [{"7"}, {"7"}, set()]


def test_a_connection_that_was_back_in_between_is_counted_anew() -> None:
    absences = Absences({"7": 2})
    absences.count(set(), active=1)
    assert absences.count({"7"}, active=1) == {"7"}


def test_a_landslide_of_absences_takes_longer_to_be_believed() -> None:
    absences = Absences({})
    doubted = [bool(absences.count({"7", "8"}, active=3)) for _ in range(20)]
    assert doubted == [True] * 19 + [False]


def test_a_keyed_hash_tells_a_change_and_nothing_else() -> None:
    first = keyed_hash("key", "postgresql://u:canary@h/shop")
    assert first == keyed_hash("key", "postgresql://u:canary@h/shop")
    assert first != keyed_hash("key", "postgresql://u:other@h/shop")
    assert first != keyed_hash("another key", "postgresql://u:canary@h/shop")
    assert "canary" not in first
