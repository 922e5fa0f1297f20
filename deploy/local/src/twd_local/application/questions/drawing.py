"""The questions of one database's users: the common ones, then many that blanks are filled for."""

from __future__ import annotations

import random

from twd_local.application.popularity import Popular
from twd_local.application.questions.question import Corpus, Question
from twd_local.application.questions.template import Template, Value

_ATTEMPTS_A_QUESTION = 3
# The larger, the less the first templates of a corpus are preferred to the last.
_HEAD = 6
# One of so many questions is made of a rare template.
_RARE = 25
# Above 1: the first values of a blank come more often than the last.
_SKEW = 1.3


def drawn_questions(corpus: Corpus, count: int, seed: int) -> tuple[Question, ...]:
    """The corpus's own questions and about `count` different ones made of its templates.

    A larger `count` begins with the same questions as a smaller one.
    """
    draw = random.Random(f"{seed}/{corpus.database}/questions")
    usual = Popular([each for each in corpus.templates if not each.is_rare], _HEAD)
    rare = [each for each in corpus.templates if each.is_rare]
    found = dict.fromkeys(corpus.questions)
    wanted = len(found) + count
    for _ in range(_ATTEMPTS_A_QUESTION * count):
        if len(found) == wanted:
            break
        template = usual.pick(draw) if len(found) % _RARE else draw.choice(rare)
        found[_filled(template, draw)] = None
    return tuple(found)


def _filled(template: Template, draw: random.Random) -> Question:
    chosen: dict[str, Value] = {
        name: values[int(len(values) * draw.random() ** _SKEW)]
        for name, values in template.values.items()
    }
    spoken = {name: v[0] if isinstance(v, tuple) else v for name, v in chosen.items()}
    written = {
        name: v if isinstance(v, int) else (v[1] if isinstance(v, tuple) else v).replace("'", "''")
        for name, v in chosen.items()
    }
    return Question(
        template.english.format_map(spoken),
        template.sql.format_map(written),
        template.difficulty,
        template.vietnamese and template.vietnamese.format_map(spoken),
        template.french and template.french.format_map(spoken),
        template.japanese and template.japanese.format_map(spoken),
    )
