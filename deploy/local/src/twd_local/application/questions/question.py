"""The form of a sample question: how users ask it, and the SQL that answers it.

Belongs here: the types. Not here: the questions themselves, one module a sample database.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from twd_local.application.questions.template import Template

Language = Literal["en", "vi", "fr", "ja"]


@dataclass(frozen=True)
class Question:
    """One question with its SQL; `difficulty` 1 (one table) to 3 (several joins or windows)."""

    english: str
    sql: str
    difficulty: int = 1
    vietnamese: str | None = None
    french: str | None = None
    japanese: str | None = None

    @property
    def wordings(self) -> tuple[str, ...]:
        """The question in every language it is asked in, English first."""
        others = (self.vietnamese, self.french, self.japanese)
        return (self.english, *(text for text in others if text is not None))

    def asked_in(self, language: Language) -> str | None:
        """The question in that language, or None if nobody asks it so."""
        match language:
            case "en":
                return self.english
            case "vi":
                return self.vietnamese
            case "fr":
                return self.french
            case "ja":
                return self.japanese


@dataclass(frozen=True)
class Corpus:
    """What the sample application knows of one database.

    `questions` are asked most; `templates` make the many that are asked less often; `taught` are
    question/SQL pairs and `documentation` texts that its users wrote as training data. SQL is
    PostgreSQL's and runs on the sample data, but for templates of statements that write.
    """

    database: str
    description: str
    questions: tuple[Question, ...]
    templates: tuple[Template, ...]
    taught: tuple[Question, ...]
    documentation: tuple[str, ...]
