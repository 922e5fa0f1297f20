"""Sample questions of the application's users, one module a sample database."""

from __future__ import annotations

from twd_local.application.questions.chinook import CHINOOK
from twd_local.application.questions.northwind import NORTHWIND
from twd_local.application.questions.pagila import PAGILA
from twd_local.application.questions.question import Corpus, Question

CORPORA: dict[str, Corpus] = {corpus.database: corpus for corpus in (PAGILA, CHINOOK, NORTHWIND)}

__all__ = ["CORPORA", "Corpus", "Question"]
