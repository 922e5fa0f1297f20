"""What the UI shows of a materialization: numbers and tables, never what a user wrote."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from twd_training.evaluation.retrievers import KNOWLEDGE_BASE, SCHEMA_INDEX
from twd_training.examples.collecting import Collected

if TYPE_CHECKING:
    from twd_training.evaluation.evaluating import Evaluation
    from twd_training.knowledge_base.training import Trained


def examples_metadata(collected: Collected) -> Mapping[str, Any]:
    """Counts of a training set; why items were rejected stands in twd.training_items."""
    accepted = [item.kind for item in collected.items if item.accepted]
    outcome = collected.outcome
    return {
        "application_table": "training_data" if collected.reading.has_table else "absent",
        "accepted_question_sql": accepted.count("question_sql"),
        "accepted_documentation": accepted.count("documentation"),
        "accepted_ddl": accepted.count("ddl"),
        "rejected": outcome.rejected,
        "quarantined": outcome.quarantined,
        "restored": outcome.restored,
        "repairs_proposed": sum(bool(item.proposal) for item in collected.items),
        "unknown_kinds": collected.reading.unknown_kinds,
        "added": outcome.added,
        "unchanged": outcome.unchanged,
        "updated": outcome.updated,
        "removed": outcome.removed,
        "snapshot_version": collected.version,
        "rejections": dg.MetadataValue.md(
            "`select item_id, reason, quarantined_since, proposal from twd.training_items"
            " where not accepted`"
        ),
    }


def training_metadata(trained: "Trained", evaluation_url: str) -> Mapping[str, Any]:
    """What a knowledge base holds and what publishing it did."""
    published = trained.published
    version = published.version
    sources = [document.source for document in trained.documents]
    return {
        "database_name": trained.database_name,
        "trained_tables": sources.count("schema"),
        "trained_relationships": sources.count("relationship"),
        "total_training_items": len(trained.documents),
        "ddl_items": version.ddl_count,
        "documentation_items": version.documentation_count,
        "question_sql_items": version.question_sql_count,
        "version": version.version,
        "is_new_version": published.is_new,
        "snapshot_version": version.snapshot_version,
        "added": published.added,
        "unchanged": published.unchanged,
        "removed": published.removed,
        "embedded_now": published.embedded,
        "embedding_model": version.model,
        "vector_dimension": version.dimension,
        "aliases": dg.MetadataValue.json(version.collections),
        "evaluation": dg.MetadataValue.url(evaluation_url),
    }


def evaluation_metadata(evaluation: "Evaluation") -> Mapping[str, Any]:
    """Scores overall as numbers, and all of them as a table."""
    index = evaluation.overall(SCHEMA_INDEX)
    base = evaluation.overall(KNOWLEDGE_BASE)
    return {
        "version": evaluation.version.version,
        "snapshot_version": evaluation.version.snapshot_version,
        "question_count": evaluation.question_count,
        "question_set_hash": evaluation.question_set_hash,
        "recall_at_1": round(index.recall_at_1, 4),
        "recall_at_5": round(index.recall_at_5, 4),
        "complete_at_5": round(index.complete_at_5, 4),
        "mrr": round(index.mrr, 4),
        "knowledge_base_recall_at_5": round(base.recall_at_5, 4),
        "scores": dg.MetadataValue.md(_table(evaluation)),
    }


def _table(evaluation: "Evaluation") -> str:
    lines = [
        "| retriever | questions of | language | n | recall@1 | @3 | @5 | complete@5 | MRR |",
        "|---|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for score in evaluation.scores:
        figures = (
            score.recall_at_1,
            score.recall_at_3,
            score.recall_at_5,
            score.complete_at_5,
            score.mrr,
        )
        cells = (score.retriever, score.origin, score.language, str(score.questions))
        lines.append("| " + " | ".join((*cells, *(f"{figure:.3f}" for figure in figures))) + " |")
    return "\n".join(lines)
