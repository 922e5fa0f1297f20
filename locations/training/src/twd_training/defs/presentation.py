"""What the UI shows of a materialization: numbers and tables, never what a user wrote."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from twd_shared.markdown import picture
from twd_shared.schema_model.ddl.names import literal
from twd_training.evaluation.history_plot import recall_svg
from twd_training.evaluation.outcomes import OUTCOMES
from twd_training.evaluation.store import KNOWLEDGE_BASE, SCHEMA_INDEX
from twd_training.examples.collecting import Collected

if TYPE_CHECKING:
    from twd_training.evaluation.evaluating import Evaluation
    from twd_training.evaluation.outcomes import Generated
    from twd_training.training import Trained


def examples_metadata(collected: Collected, connection_id: str) -> Mapping[str, Any]:
    """Counts of a training set; why items were rejected stands in twd.training_items."""
    accepted = [item.kind for item in collected.items if item.accepted]
    outcome = collected.outcome
    return {
        "application_table": "training_data" if collected.reading.has_table else "absent",
        "accepted_question_sql": accepted.count("question_sql"),
        "accepted_documentation": accepted.count("documentation"),
        "accepted_ddl": accepted.count("ddl"),
        "accepted_from_messages": sum(
            item.accepted and item.source == "messages" for item in collected.items
        ),
        "rejected": outcome.rejected,
        "quarantined": outcome.quarantined,
        "restored": outcome.restored,
        "planned_by_source": _planned(collected),
        "repairs_proposed": sum(bool(item.proposal) for item in collected.items),
        "unknown_kinds": collected.reading.unknown_kinds,
        "added": outcome.added,
        "unchanged": outcome.unchanged,
        "updated": outcome.updated,
        "removed": outcome.removed,
        "snapshot_version": collected.version,
        "rejections": dg.MetadataValue.md(
            "`select item_id, reason, quarantined_since, proposal from twd.training_items"  # noqa: S608 - shown, not run
            f" where not accepted and connection_id = {literal(connection_id)}`"
        ),
    }


def _planned(collected: Collected) -> str:
    if collected.unplanned:
        return f"not this time: {collected.unplanned}"
    return "yes" if collected.asked_source else "no: the connection does not allow it"


def training_metadata(trained: "Trained", evaluation_url: str) -> Mapping[str, Any]:
    """What the knowledge base that is served holds, and what publishing did to it."""
    published = trained.published
    metadata: dict[str, Any] = {
        "database_name": trained.database_name,
        "trained_tables": published.sources["schema"],
        "trained_relationships": published.sources["relationship"],
        "total_training_items": published.sources.total(),
        "is_new_version": published.is_new,
        "added": published.added,
        "updated": published.updated,
        "quarantined": trained.quarantined,
        "unchanged": published.unchanged,
        "removed": published.removed,
        "withdrawn": published.withdrawn,
        "embedded_now": published.embedded,
        "embedding_seconds": round(published.embedding_seconds, 3),
        "evaluation": dg.MetadataValue.url(evaluation_url),
    }
    if served := published.version:
        metadata |= {
            "version": served.version,
            "snapshot_version": served.snapshot_version,
            "ddl_items": served.ddl_count,
            "documentation_items": served.documentation_count,
            "question_sql_items": served.question_sql_count,
            "embedding_model": served.model,
            "vector_dimension": served.dimension,
            "aliases": dg.MetadataValue.json(served.collections),
        }
    if held := published.held:
        metadata |= {"held_version": held.version, "held_reason": held.held_reason}
    newest = held or served
    comparison = (newest.comparison or {}) if newest else {}
    if "candidate" in comparison:
        metadata |= {
            "recall_at_5": comparison["candidate"]["recall_at_5"],
            "question_count": comparison["question_count"],
        }
    if "live" in comparison:
        metadata["recall_at_5_before"] = comparison["live"]["recall_at_5"]
    if "not_compared" in comparison:
        metadata["not_compared"] = comparison["not_compared"]
    return metadata


def evaluation_metadata(evaluation: "Evaluation") -> Mapping[str, Any]:
    """Scores overall as numbers, all of them as a table, and how they went over the versions."""
    held = evaluation.held
    metadata: dict[str, Any] = {
        "question_count": evaluation.question_count,
        "question_set_hash": evaluation.question_set_hash,
        "scores": dg.MetadataValue.md(_table(evaluation)),
    }
    if live := evaluation.version:
        metadata |= {"version": live.version, "snapshot_version": live.snapshot_version}
    if index := evaluation.overall(SCHEMA_INDEX):
        metadata |= {
            "recall_at_1": round(index.recall_at_1, 4),
            "recall_at_5": round(index.recall_at_5, 4),
            "complete_at_5": round(index.complete_at_5, 4),
            "mrr": round(index.mrr, 4),
        }
    if base := evaluation.overall(KNOWLEDGE_BASE):
        metadata["knowledge_base_recall_at_5"] = round(base.recall_at_5, 4)
    if held and (of_held := evaluation.held_overall):
        metadata |= {
            "held_version": held.version,
            "held_recall_at_5": round(of_held.recall_at_5, 4),
        }
    return metadata


def generated_metadata(generated: "Generated", evaluation: "Evaluation") -> Mapping[str, Any]:
    """Outcomes of SQL that a language model wrote; each stands in twd.generated_sql."""
    metadata: dict[str, Any] = {"sql_generation": _generation(generated)}
    if generated.model:
        metadata["language_model"] = generated.model
    live, held = (
        generated.of_version.get(version.version) if version else None
        for version in (evaluation.version, evaluation.held)
    )
    if live:
        metadata |= {f"sql_{outcome}": live.counts.get(outcome, 0) for outcome in OUTCOMES}
        metadata["sql_not_asked"] = live.not_asked
    for name, tally in (("execution_accuracy", live), ("held_execution_accuracy", held)):
        if tally and (accuracy := tally.execution_accuracy) is not None:
            metadata[name] = round(accuracy, 4)
    return metadata


def _generation(generated: "Generated") -> str:
    if generated.skipped:
        return f"no: {generated.skipped}"
    return f"not all: {generated.problem}" if generated.problem else "yes"


def asset_url(ui_url: str, key: dg.AssetKey, partition_key: str) -> str:
    """Where the UI shows a partition of an asset."""
    return f"{ui_url}/assets/{'/'.join(key.path)}?view=partitions&partition={partition_key}"


def recall_plot(evaluation: "Evaluation") -> dg.MarkdownMetadataValue:
    """Recall@5 of the knowledge base over its versions, as a picture."""
    held = evaluation.held.version if evaluation.held else None
    svg = recall_svg(evaluation.history, held)
    return dg.MetadataValue.md(picture(svg, "Recall@5 by version"))


def _table(evaluation: "Evaluation") -> str:
    lines = [
        "| retriever | questions of | language | n | recall@1 | @3 | @5 | complete@5 | MRR |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    held = [score for score in evaluation.held_scores if score.retriever == KNOWLEDGE_BASE]
    for score in (*evaluation.scores, *held):
        figures = (
            score.recall_at_1,
            score.recall_at_3,
            score.recall_at_5,
            score.complete_at_5,
            score.mrr,
        )
        name = f"{score.retriever}, held" if score in held else score.retriever
        cells = (name, score.origin, score.language, str(score.questions))
        lines.append("| " + " | ".join((*cells, *(f"{figure:.3f}" for figure in figures))) + " |")
    return "\n".join(lines)
