"""The gate: whether a version that was just made may be served in place of the present one.

What a version holds is looked at first, without asking it anything; then both are asked the same
questions. A model that is wrong while it is looked at agrees with itself: only the questions tell.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

from twd_shared.clients.ollama import Ollama
from twd_shared.retrieval.questions import LabelledQuestion, question_set_hash
from twd_shared.retrieval.scoring import Score
from twd_training.evaluation.questions import labelled_questions
from twd_training.evaluation.retrievers import KnowledgeBaseQuestions
from twd_training.knowledge_base.collections import Collections, Stored, points_of
from twd_training.knowledge_base.documents import EmbeddedText
from twd_training.knowledge_base.embedding import embedded
from twd_training.knowledge_base.integrity import (
    Finding,
    altered_content,
    duplicate_vectors,
    foreign_vectors,
    missing_documents,
    shortened_ddl,
    vector_sample,
)
from twd_training.knowledge_base.material import Material
from twd_training.knowledge_base.names import PARTS, Part
from twd_training.knowledge_base.publishing import Candidate, Verdict
from twd_training.knowledge_base.versions import ModelVersion

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Gate:
    """Judges new versions of one connection's knowledge base.

    `tolerance` is the share by which recall@5 may fall; `least_recall` the recall@5 that is asked
    for where the live version cannot be compared.
    """

    material: Material
    collections: Collections
    ollama: Ollama
    tolerance: float
    least_recall: float

    @contextmanager
    def examining(self, candidate: Candidate) -> Iterator[Examination]:
        """Examine a candidate that is not built yet; nothing of it outlasts `with`."""
        examination = Examination(candidate, self)
        try:
            yield examination
        finally:
            examination.end()

    def stands_by(self, held: ModelVersion) -> bool:
        """False if its recall was too low by a setting that is another one by now."""
        comparison = held.comparison or {}
        rules = {one["rule"] for one in comparison.get("findings", [])}
        by_tolerance = comparison.get("tolerance") == self.tolerance
        by_bound = comparison.get("least_recall") == self.least_recall
        return (by_tolerance or "scores_fell" not in rules) and (
            by_bound or "scores_low" not in rules
        )


class Examination:
    """Of one candidate: it is looked at while its questions are embedded and asked."""

    def __init__(self, candidate: Candidate, gate: Gate) -> None:
        """Call `end` in any case."""
        self._candidate = candidate
        self._material = gate.material
        self._collections = gate.collections
        self._ollama = gate.ollama
        self._tolerance = gate.tolerance
        self._least_recall = gate.least_recall
        self._ended = Future[None]()
        self._apart = ThreadPoolExecutor(2, "twd-gate")
        self._asking: Future[list[Score]] | None = None
        self._is_built = threading.Event()

    def note(self, text: EmbeddedText, vector: list[float]) -> None:
        """See a text with the vector that it was given; some are questions that will be asked."""
        if text.purpose == "query":
            self._asked.learn(self._candidate.model.name, text.text, vector)

    def prepare(self) -> None:
        """Begin to embed the questions, and tell what points to expect; nothing is asked yet."""
        self._ask()
        _ = self._expected

    def verdict(
        self,
        live: ModelVersion | None,
        stored: Mapping[str, Stored],
        wrong: Collection[str],
    ) -> Verdict:
        """Compare the candidate, built by now, with `live`, which holds `stored`.

        The live version is asked as if it lacked what is `wrong` in it, as that will not be served
        in any case. Raises the errors of the embedding and the index.
        """
        asking = self._ask()
        self._is_built.set()
        foreign = self._apart.submit(self._foreign, stored)
        findings = [
            *missing_documents(self._material, stored),
            *shortened_ddl(self._material),
            *self._altered(),
            *foreign.result(),
        ]
        ours = asking.result()
        comparison: dict[str, Any] = {
            "live_version": live.version if live else None,
            "tolerance": self._tolerance,
            "least_recall": self._least_recall,
        }
        scores = self._scores(ours, live, wrong) if self._questions else {}
        if live is not None:
            findings += self._fallen(scores)
        comparison |= scores
        comparison["findings"] = [asdict(finding) for finding in findings]
        return Verdict(_reason(findings), comparison)

    def end(self) -> None:
        """Give up what was begun and is not over."""
        self._ended.set_result(None)
        self._is_built.set()
        self._apart.shutdown()

    def _ask(self) -> Future[list[Score]]:
        if self._asking is None:
            version, model = self._candidate.version, self._candidate.model
            self._asking = self._apart.submit(
                self._asked.scores_of_new, version, model.name, model.dimension, self._wait
            )
        return self._asking

    def _wait(self) -> None:
        self._is_built.wait()
        if self._ended.done():
            raise CancelledError

    @cached_property
    def _questions(self) -> Sequence[LabelledQuestion]:
        return labelled_questions(self._material.snapshot, self._material.items)

    @cached_property
    def _asked(self) -> KnowledgeBaseQuestions:
        return KnowledgeBaseQuestions(self._questions, self._collections, self._ollama, self._ended)

    @cached_property
    def _expected(self) -> Mapping[Part, dict[str, dict[str, Any]]]:
        """Payload of each point that has to be there, by part and id."""
        expected: dict[Part, dict[str, dict[str, Any]]] = {part: {} for part in PARTS}
        for document in self._material.documents:
            for point in points_of(document, self._candidate.model_id):
                expected[point.part][point.point_id] = point.payload
        return expected

    def _altered(self) -> list[Finding]:
        return [
            finding
            for part, payloads in self._expected.items()
            for finding in altered_content(
                payloads, self._collections.payloads(self._candidate.version, part), part
            )
        ]

    def _foreign(self, taken_over: Collection[str]) -> list[Finding]:
        sample = vector_sample(self._material.documents, taken_over)
        if not sample:
            return []
        points = [one for item in sample for one in points_of(item, self._candidate.model_id)]
        texts = sorted({one.text for one in points})
        given = embedded(self._ollama, texts, self._ended)
        held = {
            part: self._collections.vectors_of(
                self._candidate.version, part, [one.point_id for one in points if one.part == part]
            )
            for part in PARTS
        }
        return foreign_vectors(
            [held[one.part].get(one.point_id) for one in points],
            [given[one.text] for one in points],
        ) or duplicate_vectors([given[text] for text in texts])

    def _scores(
        self, ours: Collection[Score], live: ModelVersion | None, wrong: Collection[str]
    ) -> dict[str, Any]:
        """Figures of both, or in `not_compared` why there are none of the live version.

        Of a first version too, as they may be all that is left to compare.
        """
        scores = {
            "question_set_hash": question_set_hash(self._questions),
            "question_count": len(self._questions),
            "candidate": _figures(ours),
        }
        if live is None:
            return scores
        if self._ollama.using(live.model).digest() == live.model_digest:
            theirs = self._asked.scores(live.version, live.model, live.dimension, wrong)
            return scores | {"live": _figures(theirs), "live_is_recorded": False}
        # Asked through another model it would find nothing, and anything would be better.
        then = live.comparison or {}
        if then.get("question_set_hash") == scores["question_set_hash"]:
            return scores | {"live": then["candidate"], "live_is_recorded": True}
        return scores | {
            "not_compared": f"version {live.version}, which is served, cannot be compared: Ollama "
            f"has lost the model {live.model} that made it, and it was scored over other questions"
        }

    def _fallen(self, scores: Mapping[str, Any]) -> list[Finding]:
        if not scores:
            return []
        ours, count = scores["candidate"]["recall_at_5"], scores["question_count"]
        if "live" not in scores:
            if ours >= self._least_recall - _ROUNDING:
                return []
            return [
                Finding(
                    "scores_low",
                    f"recall@5 over {count} questions is {ours:.4f}, less than the "
                    f"{self._least_recall:g} of TWD_RECALL_BOUND, and {scores['not_compared']}",
                )
            ]
        theirs = scores["live"]["recall_at_5"]
        if ours >= theirs - self._tolerance - _ROUNDING:
            return []
        when = ", as when it was made with its own model," if scores["live_is_recorded"] else ""
        return [
            Finding(
                "scores_fell",
                f"recall@5 over {count} questions would fall from {theirs:.4f}{when} to "
                f"{ours:.4f}, by more than the {self._tolerance:g} of TWD_PROMOTION_TOLERANCE",
            )
        ]


def _reason(findings: Collection[Finding]) -> str:
    """One sentence, empty without findings."""
    text = "; ".join(finding.text for finding in findings)
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _figures(scores: Collection[Score]) -> dict[str, float]:
    overall = next(score for score in scores if score.origin == "all").as_row()
    names = ("recall_at_1", "recall_at_5", "complete_at_5", "mrr")
    return {name: overall[name] for name in names}
