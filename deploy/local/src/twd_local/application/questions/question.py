"""The form of a sample question: how users ask it, and the SQL that answers it.

Belongs here: the types. Not here: the questions themselves, one module a sample database.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Question:
    """One question with its SQL; `difficulty` 1 (one table) to 3 (several joins or windows)."""

    english: str
    sql: str
    difficulty: int = 1
    vietnamese: str | None = None

    @property
    def wordings(self) -> tuple[str, ...]:
        """The question in every language it is asked in, English first."""
        return (self.english,) if self.vietnamese is None else (self.english, self.vietnamese)


@dataclass(frozen=True)
class Corpus:
    """What the sample application knows of one database.

    `questions` are asked in conversations; `taught` are question/SQL pairs and `documentation`
    texts that its users wrote as training data. SQL is PostgreSQL's and runs on the sample data.
    """

    database: str
    description: str
    questions: tuple[Question, ...]
    taught: tuple[Question, ...]
    documentation: tuple[str, ...]
