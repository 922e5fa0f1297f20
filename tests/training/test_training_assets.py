"""The assets, the job and the sensor of the training location, on real servers."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import dagster as dg
import msgspec
import pytest
import sqlalchemy as sa
from qdrant_client import models

from twd_shared.contract import TRAINED_MODEL
from twd_shared.errors import IndexUnavailable
from twd_shared.resources.servers import OllamaResource, QdrantResource
from twd_shared.retrieval.scoring import Score
from twd_shared.settings import Settings
from twd_shared.store.tables import alerts
from twd_training.definitions import build_defs
from twd_training.defs.assets import (
    MODEL_EVALUATION_KEY,
    PROMOTION_CHECK,
    RECALL_CHECK,
    TRAINING_EXAMPLES_KEY,
)
from twd_training.defs.sensors import training_data_sensor
from twd_training.evaluation import evaluating
from twd_training.examples.store import TrainingSet
from twd_training.knowledge_base import material
from twd_training.knowledge_base.collections import Collections
from twd_training.knowledge_base.names import alias_of
from twd_training.knowledge_base.removal import remove_unused
from twd_training.knowledge_base.versions import ModelVersions

from .conftest import CUSTOMER, INVOICE, Location
from .faulty_model import FaultyModelServer
from .test_gate import without
from .trained_shop import TrainedShop

pytestmark = pytest.mark.integration


def run(location: Location, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return location.definitions.resolve_job_def("training_job").execute_in_process(
        instance=instance, partition_key=location.key, raise_on_error=False
    )


def shown(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, Any]:
    [event] = [e for e in result.get_asset_materialization_events() if e.asset_key == key]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def data_versions(result: dg.ExecuteInProcessResult) -> dict[str, str]:
    return {
        event.asset_key.to_user_string(): (event.materialization.tags or {})["dagster/data_version"]
        for event in result.get_asset_materialization_events()
    }


def checks(result: dg.ExecuteInProcessResult) -> dict[str, bool]:
    return {check.check_name: check.passed for check in result.get_asset_check_evaluations()}


def tick(
    location: Location, instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult:
    [sensor] = [s for s in location.definitions.sensors or () if s.name == "training_data_sensor"]
    assert isinstance(sensor, dg.SensorDefinition)
    needed = ("metadata_store", "application", "catalog", "qdrant", "ollama")
    with dg.build_sensor_context(
        instance=instance,
        cursor=cursor,
        repository_def=location.definitions.get_repository_def(),
        resources={name: location.resources[name] for name in needed},
    ) as context:
        result = sensor(context)
    if isinstance(result, dg.SkipReason):
        return dg.SensorResult(skip_reason=result)
    assert isinstance(result, dg.SensorResult)
    return result


def minutes_pass(location: Location) -> None:
    with location.database.begin() as transaction:
        transaction.exec_driver_sql(
            "update twd.index_states set published_at = published_at - interval '10 minutes'"
        )


def skipped(result: dg.SensorResult) -> str:
    reason = result.skip_reason
    return reason.skip_message or "" if isinstance(reason, dg.SkipReason) else str(reason)


def test_a_training_publishes_and_scores_what_schema_and_users_say(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.teach("Customers who pay late are called debtors.")
    location.teach("select full_name from customer", "Who are our customers?")
    location.teach("select secret from customer", "What is the 4711000047110 secret?")
    result = run(location, instance)
    assert result.success
    examples = shown(result, TRAINING_EXAMPLES_KEY)
    assert (examples["accepted_question_sql"], examples["rejected"]) == (1, 1)
    trained = shown(result, TRAINED_MODEL.key)
    assert (trained["trained_tables"], trained["trained_relationships"]) == (3, 1)
    # Three tables, their cards, a relationship, a user's document and a user's pair.
    assert trained["total_training_items"] == 3 + 3 + 1 + 1 + 1
    assert (trained["version"], trained["added"], trained["quarantined"]) == (1, 9, 0)
    evaluation = shown(result, MODEL_EVALUATION_KEY)
    assert 0 < evaluation["recall_at_5"] <= 1
    assert "| knowledge base | user | en | 1 |" in evaluation["scores"]
    assert checks(result) == {PROMOTION_CHECK: True, RECALL_CHECK: True}
    events = instance.all_logs(result.run_id)
    assert not any("4711000047110" in str(event) for event in events)


def test_the_rejections_that_a_training_shows_are_those_of_its_database(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.teach("select secret from customer", "What is the secret?")
    assert run(location, instance).success
    location.execute_metadata(
        "insert into twd.connections (connection_id, partition_key, database_name, db_type,"
        " is_active) values ('it''s', 'other', 'other', 'postgresql', true)"
    )
    location.execute_metadata(
        "update twd.training_items set connection_id = 'it''s', reason = 'another''s'"
        " where not accepted"
    )
    examples = shown(run(location, instance), TRAINING_EXAMPLES_KEY)
    rows = location.metadata_rows(examples["rejections"].strip("`"))
    assert len(rows) == 1
    assert "another's" not in rows[0]


def test_a_second_training_changes_no_data_version_and_embeds_nothing(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.teach("Customers buy.")
    first, second = run(location, instance), run(location, instance)
    assert data_versions(first) == data_versions(second)
    assert shown(first, TRAINED_MODEL.key)["embedding_seconds"] > 0
    told = shown(second, TRAINED_MODEL.key)
    assert (told["embedded_now"], told["embedding_seconds"]) == (0, 0)
    assert shown(second, TRAINED_MODEL.key)["is_new_version"] is False


def test_a_dropped_table_leaves_the_knowledge_base(
    location: Location, instance: dg.DagsterInstance
) -> None:
    before = data_versions(run(location, instance))
    location.read_schema(CUSTOMER, INVOICE)
    result = run(location, instance)
    trained = shown(result, TRAINED_MODEL.key)
    assert (trained["trained_tables"], trained["removed"], trained["added"]) == (2, 2, 0)
    assert (trained["snapshot_version"], trained["version"]) == (2, 2)
    key = TRAINED_MODEL.key.to_user_string()
    assert data_versions(result)[key] != before[key]


def test_a_paused_connection_is_not_trained(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.store.connections.deactivate(location.connection_id)
    result = run(location, instance)
    assert not result.success
    failure = result.failure_data_for_node("training__trained_model")
    assert failure is not None
    assert failure.error is not None
    assert "is paused or was removed in the application" in failure.error.message


def test_an_unread_connection_says_what_to_do(
    location: Location, instance: dg.DagsterInstance
) -> None:
    with location.database.begin() as transaction:
        for table in ("snapshot_objects", "snapshots"):
            transaction.exec_driver_sql(f"delete from twd.{table}")
    result = run(location, instance)
    failure = result.failure_data_for_node("training__training_examples")
    assert failure is not None
    assert failure.error is not None
    assert "Connection 7 was never read. Run schema_import_job for it." in failure.error.message


def test_a_poor_retrieval_warns(location: Location, instance: dg.DagsterInstance) -> None:
    # The schema index of nobody: it answers with nothing.
    location.resources["qdrant"].schema_index.delete_connection(location.connection_id)
    result = run(location, instance)
    assert checks(result) == {PROMOTION_CHECK: True, RECALL_CHECK: False}
    [check] = [c for c in result.get_asset_check_evaluations() if c.check_name == RECALL_CHECK]
    assert check.severity == dg.AssetCheckSeverity.WARN


def test_a_database_without_tables_is_no_poor_retrieval(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.read_schema()
    result = run(location, instance)
    assert checks(result) == {PROMOTION_CHECK: True, RECALL_CHECK: True}


def test_a_version_that_is_dropped_while_it_is_scored_is_left_to_the_next_try(
    location: Location, ollama_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = TrainedShop(location, ollama_url)
    shop.read()
    shop.train()

    def evaluate() -> evaluating.Evaluation:
        index = location.resources["qdrant"].schema_index
        return evaluating.evaluate_connection(
            location.connection, location.database, shop.client, index, shop.ollama
        )

    def scores_of_index(*_: Any) -> list[Score]:
        for column in ("agency", "country"):
            shop.change("campaign", column)
            shop.train()
        return []

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(evaluating, "schema_index_scores", scores_of_index)
        with pytest.raises(IndexUnavailable, match=r"Version 1 .* was dropped while it was scored"):
            evaluate()
    assert [version.version for version in evaluate().versions] == [3]


@pytest.fixture
def holding(
    location: Location, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Version 1 is served; a fault has lost the cards since. The data versions before it."""
    before = data_versions(run(location, instance))
    monkeypatch.setattr(material, "documents_of", without("card"))
    return before


def test_a_version_that_is_held_fails_its_check_and_changes_nothing_downstream(
    location: Location, instance: dg.DagsterInstance, holding: dict[str, str]
) -> None:
    result = run(location, instance)
    assert result.success
    assert checks(result) == {PROMOTION_CHECK: False, RECALL_CHECK: True}
    [check] = [c for c in result.get_asset_check_evaluations() if c.check_name == PROMOTION_CHECK]
    assert check.severity == dg.AssetCheckSeverity.ERROR
    assert check.description is not None
    assert check.description.startswith("The card of 3 of 3 tables is missing")
    trained = shown(result, TRAINED_MODEL.key)
    assert (trained["version"], trained["held_version"]) == (1, 2)
    # What is told is what is served: three tables with their cards and a relationship.
    assert (trained["total_training_items"], trained["unchanged"]) == (7, 7)
    key = TRAINED_MODEL.key.to_user_string()
    assert data_versions(result)[key] == holding[key]


def test_the_check_fails_as_long_as_a_version_is_held(
    location: Location, instance: dg.DagsterInstance, holding: dict[str, str]
) -> None:
    assert holding
    run(location, instance)
    again = run(location, instance)
    assert checks(again)[PROMOTION_CHECK] is False
    assert shown(again, TRAINED_MODEL.key)["is_new_version"] is False


def test_the_alert_leads_to_the_model_in_the_ui(
    location: Location, instance: dg.DagsterInstance, holding: dict[str, str]
) -> None:
    assert holding
    run(location, instance)
    with location.database.begin() as transaction:
        [alert] = transaction.execute(sa.select(alerts)).all()
    assert alert.link.endswith(
        f"/assets/training/trained_model?view=partitions&partition={location.key}"
    )
    assert f"make promote DB={location.key}" in alert.body
    assert "The card of 3 of 3 tables is missing" in alert.body


def test_the_alert_is_over_when_the_connection_is_taken_out(
    location: Location, instance: dg.DagsterInstance, holding: dict[str, str]
) -> None:
    assert holding
    run(location, instance)
    location.store.connections.deactivate(location.connection_id)
    tick(location, instance)
    open_alerts = "select title from twd.alerts where recovered_at is null"
    assert location.metadata_rows(open_alerts) == []
    location.register()
    run(location, instance)
    told = "select severity, recovered_at is null from twd.alerts order by sequence"
    assert location.metadata_rows(told) == [("failure", False), ("failure", True)]


def test_the_held_version_is_scored_beside_the_live_one(
    location: Location, instance: dg.DagsterInstance, holding: dict[str, str]
) -> None:
    assert holding
    result = run(location, instance)
    evaluation = shown(result, MODEL_EVALUATION_KEY)
    assert (evaluation["version"], evaluation["held_version"]) == (1, 2)
    assert evaluation["held_recall_at_5"] > 0
    assert "| knowledge base, held | generated | en |" in evaluation["scores"]
    assert "data:image/svg+xml;base64," in evaluation["recall_by_version"]


def test_the_sensor_asks_for_no_training_of_what_is_held(
    location: Location, instance: dg.DagsterInstance, holding: dict[str, str]
) -> None:
    assert holding
    location.read_schema(CUSTOMER, INVOICE)
    assert run(location, instance).success
    minutes_pass(location)
    assert "all of their training is up to date" in skipped(tick(location, instance))


def test_the_sensor_requests_training_once_for_a_change(
    location: Location, instance: dg.DagsterInstance
) -> None:
    # A first training is the automation's.
    assert "all of their training is up to date" in skipped(tick(location, instance))
    assert run(location, instance).success
    assert "all of their training is up to date" in skipped(tick(location, instance))
    location.teach("Customers buy.")
    asked = tick(location, instance)
    assert asked.run_requests is not None
    [request] = asked.run_requests
    assert request.partition_key == location.key
    assert "wait for their next try" in skipped(tick(location, instance, asked.cursor))
    assert run(location, instance).success
    assert "all of their training is up to date" in skipped(tick(location, instance, asked.cursor))


def test_the_sensor_asks_again_when_a_change_was_collected_but_not_published(
    location: Location, instance: dg.DagsterInstance
) -> None:
    assert run(location, instance).success
    location.teach("Customers buy.")
    job = location.definitions.resolve_job_def("training_job")
    result = job.execute_in_process(
        instance=instance, partition_key=location.key, asset_selection=[TRAINING_EXAMPLES_KEY]
    )
    assert result.success
    assert tick(location, instance).run_requests


def test_the_sensor_removes_what_is_kept_of_a_paused_connection_and_trains_it_when_it_is_back(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.teach("Customers buy.")
    assert run(location, instance).success
    location.store.connections.deactivate(location.connection_id)
    tick(location, instance)
    client = location.resources["qdrant"].client
    assert Collections(client, location.key).present() == set()
    aliases = {item.alias_name for item in client.get_aliases().aliases}
    assert alias_of(location.key, "ddl") not in aliases
    assert ModelVersions(location.database).live(location.connection_id) is None
    location.register()
    # At first it is left to the automation.
    assert "up to date" in skipped(tick(location, instance))
    minutes_pass(location)
    assert tick(location, instance).run_requests
    assert run(location, instance).success
    assert Collections(client, location.key).served() == 2


def test_a_tick_that_read_a_connection_as_paused_leaves_what_it_was_trained_with_since(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.store.connections.deactivate(location.connection_id)
    read = location.store.connections.known()
    location.register()
    assert run(location, instance).success
    client = location.resources["qdrant"].client
    catalog = location.resources["catalog"].catalog
    assert list(remove_unused(read, catalog, client, location.database, frozenset())) == []
    assert Collections(client, location.key).served() == 1
    assert ModelVersions(location.database).live(location.connection_id) is not None


def test_what_is_known_to_be_wrong_stays_so_while_a_connection_is_paused(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.teach("The full_name of a customer is secret.")
    assert run(location, instance).success
    nameless = msgspec.structs.replace(CUSTOMER, columns=CUSTOMER.columns[:1])
    location.read_schema(nameless, INVOICE)
    assert run(location, instance).success
    location.execute("update database_connections set is_active = false where id = 7")
    location.store.connections.deactivate(location.connection_id)
    tick(location, instance)
    location.execute("update database_connections set is_active = true where id = 7")
    location.register()
    assert run(location, instance).success
    query = "select accepted, quarantined_since is not null from twd.training_items"
    assert location.metadata_rows(query) == [(False, True)]


def test_the_sensor_removes_what_a_restored_qdrant_brings_back_of_a_removed_connection(
    location: Location, instance: dg.DagsterInstance
) -> None:
    assert run(location, instance).success
    location.store.connections.deactivate(location.connection_id)
    tick(location, instance)
    collections = Collections(location.resources["qdrant"].client, location.key)
    collections.create(1, 3)
    collections.serve(1)
    tick(location, instance)
    assert collections.present() == set()


def test_the_items_of_a_connection_that_is_gone_are_removed(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.teach("Customers buy.")
    assert run(location, instance).success
    location.execute("delete from training_data")
    location.execute("delete from database_connections where id = 7")
    location.store.connections.deactivate(location.connection_id)
    tick(location, instance)
    assert location.metadata_rows("select count(*) from twd.training_items") == [(0,)]


def test_nothing_is_removed_while_it_is_not_known_what_is_listed(
    location: Location, instance: dg.DagsterInstance
) -> None:
    from twd_shared.resources.stores import CatalogResource

    assert run(location, instance).success
    location.store.connections.deactivate(location.connection_id)
    location.resources["catalog"] = CatalogResource(
        source="database", api_url="", application_dsn="postgresql://u:hidden@127.0.0.1:9/app"
    )
    assert "127.0.0.1:9/app" in skipped(tick(location, instance))
    assert ModelVersions(location.database).live(location.connection_id) is not None


def test_the_sensor_asks_for_a_schema_that_automation_did_not_train(
    location: Location, instance: dg.DagsterInstance
) -> None:
    assert run(location, instance).success
    location.read_schema(CUSTOMER, INVOICE)
    assert tick(location, instance).run_requests == []
    minutes_pass(location)
    assert tick(location, instance).run_requests
    assert run(location, instance).success
    assert tick(location, instance).run_requests == []


def lose_aliases(location: Location) -> None:
    client = location.resources["qdrant"].client
    client.update_collection_aliases(
        [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias))
            for alias in Collections(client, location.key).names(1)
        ]
    )


def lose_collections(location: Location, *versions: int) -> None:
    client = location.resources["qdrant"].client
    Collections(client, location.key).drop(versions or {1})


def lose_memory(location: Location) -> None:
    names = Collections(location.resources["qdrant"].client, location.key).names(1)
    location.resources["qdrant"].client.delete_collection(names[alias_of(location.key, "memory")])


@pytest.mark.parametrize(
    ("lose", "served"), [(lose_aliases, 1), (lose_collections, 2), (lose_memory, 2)]
)
def test_the_sensor_asks_for_what_qdrant_has_lost_until_it_is_served_again(
    location: Location,
    instance: dg.DagsterInstance,
    lose: Callable[[Location], None],
    served: int,
) -> None:
    assert run(location, instance).success
    lose(location)
    asked = tick(location, instance)
    assert [one.partition_key for one in asked.run_requests or ()] == [location.key]
    assert "wait for their next try" in skipped(tick(location, instance, asked.cursor))
    assert run(location, instance).success
    collections = Collections(location.resources["qdrant"].client, location.key)
    assert collections.served() == served
    assert collections.counts(served) is not None
    assert "up to date" in skipped(tick(location, instance, asked.cursor))


def test_the_sensor_asks_for_a_training_with_a_model_that_was_changed_until_one_is_held(
    location: Location,
    instance: dg.DagsterInstance,
    ollama_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with closing(FaultyModelServer(ollama_url)) as changed:
        configured = location.resources["ollama"].embed_model
        location.resources["ollama"] = OllamaResource(base_url=changed.url, embed_model=configured)
        location.definitions = build_defs(Settings(run_max_retries=0), location.resources)
        assert run(location, instance).success
        changed.digest = "f" * 64
        asked = tick(location, instance)
        assert [request.partition_key for request in asked.run_requests or ()] == [location.key]
        assert "wait for their next try" in skipped(tick(location, instance, asked.cursor))
        assert run(location, instance).success
        assert "up to date" in skipped(tick(location, instance, asked.cursor))
        changed.digest = "e" * 64
        assert tick(location, instance, asked.cursor).run_requests
        monkeypatch.setattr(material, "documents_of", without("card"))
        assert run(location, instance).success
        assert ModelVersions(location.database).held(location.connection_id) is not None
        assert "up to date" in skipped(tick(location, instance, asked.cursor))


def test_the_sensor_takes_no_model_for_changed_while_ollama_is_away_or_has_lost_it(
    location: Location, instance: dg.DagsterInstance, ollama_url: str
) -> None:
    assert run(location, instance).success
    for url, model in (("http://127.0.0.1:9", "any"), (ollama_url, "unheard-of")):
        location.resources["ollama"] = OllamaResource(base_url=url, embed_model=model)
        assert "up to date" in skipped(tick(location, instance))


def test_the_sensor_leaves_an_alias_that_a_person_has_pointed_elsewhere(
    location: Location, instance: dg.DagsterInstance
) -> None:
    assert run(location, instance).success
    client = location.resources["qdrant"].client
    one = models.VectorParams(size=1, distance=models.Distance.COSINE)
    client.create_collection(f"own_{location.key}", vectors_config=one)
    alias = alias_of(location.key, "sql")
    client.update_collection_aliases(
        [
            models.DeleteAliasOperation(delete_alias=models.DeleteAlias(alias_name=alias)),
            models.CreateAliasOperation(
                create_alias=models.CreateAlias(
                    collection_name=f"own_{location.key}", alias_name=alias
                )
            ),
        ]
    )
    assert "up to date" in skipped(tick(location, instance))


def test_the_sensor_asks_for_new_training_data_while_qdrant_refuses_it(
    location: Location, instance: dg.DagsterInstance, services: Any
) -> None:
    assert run(location, instance).success
    location.teach("Customers buy.")
    services.qdrant_faults.write_text(json.dumps({"rules": [{"path": "/aliases", "status": 401}]}))
    try:
        assert tick(location, instance).run_requests
    finally:
        services.qdrant_faults.unlink()


def test_the_sensor_goes_on_asking_for_what_was_lost_when_its_training_fails(
    location: Location, instance: dg.DagsterInstance, holding: dict[str, str]
) -> None:
    assert holding
    assert run(location, instance).success
    lose_collections(location, 1, 2)
    away = OllamaResource(base_url="http://127.0.0.1:9", embed_model="x")
    location.definitions = build_defs(
        Settings(run_max_retries=0, run_retry_seconds=0), location.resources | {"ollama": away}
    )
    assert not run(location, instance).success
    minutes_pass(location)
    assert tick(location, instance).run_requests


def test_the_sensor_does_not_ask_for_what_was_lost_beside_a_held_version_over_and_over(
    location: Location, instance: dg.DagsterInstance, holding: dict[str, str]
) -> None:
    assert holding
    assert run(location, instance).success
    lose_memory(location)
    assert "up to date" in skipped(tick(location, instance))
    lose_collections(location)
    assert tick(location, instance).run_requests
    assert run(location, instance).success
    minutes_pass(location)
    assert "up to date" in skipped(tick(location, instance))


def test_the_sensor_asks_for_a_lost_memory_whose_training_was_killed_before_it_served(
    location: Location, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(location, instance).success
    lose_memory(location)

    def die(*_: object) -> None:
        raise dg.Failure("killed")

    with monkeypatch.context() as killed:
        killed.setattr(Collections, "serve", die)
        assert not run(location, instance).success
    assert tick(location, instance).run_requests


def test_the_sensor_leaves_it_to_a_person_who_pointed_the_aliases_to_the_version_before(
    location: Location, instance: dg.DagsterInstance
) -> None:
    assert run(location, instance).success
    location.teach("Customers buy.")
    assert run(location, instance).success
    collections = Collections(location.resources["qdrant"].client, location.key)
    assert collections.served() == 2
    collections.serve(1)
    assert "up to date" in skipped(tick(location, instance))


def test_the_sensor_takes_nothing_for_lost_while_qdrant_is_away(
    location: Location, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(location, instance).success
    away = QdrantResource(url="http://127.0.0.1:9", collection_name="x")
    monkeypatch.setitem(location.resources, "qdrant", away)
    assert "up to date" in skipped(tick(location, instance))
    location.teach("Customers buy.")
    assert tick(location, instance).run_requests


def test_the_sensor_leaves_a_knowledge_base_alone_that_a_run_holds(
    location: Location, instance: dg.DagsterInstance
) -> None:
    assert run(location, instance).success
    location.store.connections.deactivate(location.connection_id)
    versions = ModelVersions(location.database)
    with versions.exclusive(location.connection_id):
        tick(location, instance)
    assert versions.live(location.connection_id) is not None


def test_the_sensor_skips_with_a_reason_when_the_application_is_down(
    location: Location, instance: dg.DagsterInstance
) -> None:
    from twd_shared.resources.stores import ApplicationDatabaseResource

    location.resources["application"] = ApplicationDatabaseResource(
        dsn="postgresql://u:hidden@127.0.0.1:9/app"
    )
    reason = skipped(tick(location, instance))
    assert "The application database 127.0.0.1:9/app is not available" in reason
    assert "hidden" not in reason


def test_the_sensor_asks_for_nothing_while_the_table_of_training_data_is_gone(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.teach("Customers buy.")
    assert run(location, instance).success
    location.execute("alter table training_data rename to elsewhere")
    assert "has no table training_data any more" in skipped(tick(location, instance))


def test_the_sensor_goes_on_where_there_never_was_such_a_table(
    location: Location, instance: dg.DagsterInstance
) -> None:
    location.execute("drop table training_data")
    assert run(location, instance).success
    # As a training leaves it whose source could not be asked about mined pairs.
    TrainingSet(location.database).mark_published(location.connection_id, " unplanned")
    assert "has no table" not in skipped(tick(location, instance))


def test_the_sensor_runs_from_the_start() -> None:
    from twd_training.defs.jobs import training_job

    settings = Settings(automation_seconds=11)
    sensor = training_data_sensor(settings, training_job(settings))
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert sensor.minimum_interval_seconds == 11
