"""Sample questions of the application's users, one module a sample database."""

from __future__ import annotations

from twd_local.application.questions.chinook import CHINOOK
from twd_local.application.questions.drawing import drawn_questions
from twd_local.application.questions.northwind import NORTHWIND
from twd_local.application.questions.pagila import PAGILA
from twd_local.application.questions.question import Corpus, Language, Question

CORPORA: dict[str, Corpus] = {corpus.database: corpus for corpus in (PAGILA, CHINOOK, NORTHWIND)}

__all__ = ["CORPORA", "Corpus", "Language", "Question", "drawn_questions"]
