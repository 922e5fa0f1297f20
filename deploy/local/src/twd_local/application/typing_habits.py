"""How people type: politeness, case, punctuation, blanks, missing diacritics, two languages."""

from __future__ import annotations

import random
import unicodedata

from twd_local.application.questions import Language

_FIRST_WORDS: dict[Language, tuple[str, ...]] = {
    "en": ("Please tell me:", "Hi,", "quick question:", "Can you check:", "pls"),
    "vi": ("Cho mình hỏi", "Bạn ơi,", "Cho tôi biết:", "Nhờ bạn xem giúp:", "Em ơi"),
    "fr": ("Bonjour,", "Dis-moi :", "Peux-tu vérifier :"),
    "ja": ("すみません、", "教えてください。"),
}
_LAST_WORDS: dict[Language, tuple[str, ...]] = {
    "en": ("thanks", "please", "asap", "for the report"),
    "vi": ("nhé", "cảm ơn", "giúp mình với", "ạ"),
    "fr": ("merci", "s'il te plaît"),
    "ja": ("お願いします",),
}
_FIRST_SHARE = 0.12
_LAST_SHARE = 0.05
_BARE_SHARE = 0.22
_LOWER_SHARE = 0.18
_UPPER_SHARE = 0.01
_ENDING_SHARE = 0.25
_BLANKS_SHARE = 0.04
_SLIP_SHARE = 0.04
_SHORTEST_FOR_A_SLIP = 8


def typed(draw: random.Random, text: str, language: Language, tongue: Language) -> str:
    """The text, in `language`, as somebody types it whose own language is `tongue`."""
    if draw.random() < _FIRST_SHARE:
        # In the own language even where the question is in another one.
        text = f"{draw.choice(_FIRST_WORDS[tongue])} {text}"
    if draw.random() < _LAST_SHARE:
        text = f"{text.rstrip('?？')} {draw.choice(_LAST_WORDS[tongue])}"
    if language == "vi" and draw.random() < _BARE_SHARE:
        text = _bare(text)
    case = draw.random()
    if case < _LOWER_SHARE:
        text = text.lower()
    elif case < _LOWER_SHARE + _UPPER_SHARE:
        text = text.upper()
    if draw.random() < _ENDING_SHARE:
        text = text.rstrip("?？ ") + draw.choice(("", "", "", "??", "?!", "...", " ?", "."))
    if draw.random() < _BLANKS_SHARE:
        text = draw.choice(("  {}", "{} ", "{}\n")).format(text.replace(" ", "  ", 1))
    if draw.random() < _SLIP_SHARE and len(text) >= _SHORTEST_FOR_A_SLIP:
        at = draw.randrange(1, len(text) - 2)
        text = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text


def _bare(text: str) -> str:
    """Vietnamese as typed on a keyboard without diacritics."""
    parts = unicodedata.normalize("NFD", text.replace("đ", "d").replace("Đ", "D"))
    return "".join(part for part in parts if not unicodedata.combining(part))
