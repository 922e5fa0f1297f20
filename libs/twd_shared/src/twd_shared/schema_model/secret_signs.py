"""Signs of a secret: in the name of what has a value, and in the value itself. Pure.

Patterns are bounded: whoever writes a schema writes the texts that they are held against.
"""

from __future__ import annotations

import re

# What is longer is taken for one without a look: neither an option nor a literal is often so long.
_LONGEST_SEEN = 4_000

_SECRET_NAME = re.compile(
    r"pass|pwd|(?<![a-z])pw(?![a-z])|secret|token|credential|private|auth(?!or\b)|bearer|cookie"
    r"|m[aậ]t[_ -]?kh[aẩ]u"
    # A key alone says which columns are one.
    r"|(?:api|access|account|shared|master|encryption|signing)[_ -]?key",
    re.IGNORECASE,
)
# `token` names one, `token_status` only has to do with it.
_SECRET_ITSELF = re.compile(
    r"(?:passw(?:or)?d|passphrase|(?<![a-z])pass|pwd|(?<![a-z])pw|secret|token|credentials?|bearer"
    r"|cookie|m[aậ]t[_ -]?kh[aẩ]u"
    r"|(?:api|access|account|shared|master|encryption|signing|secret|private)[_ -]?key)[\d_]*$",
    re.IGNORECASE,
)
ISSUED = (
    # AWS, Stripe, GitHub, Slack; a JSON web token; the header of a user with a password, where an
    # ordinary word has no capital inside, and no digit.
    r"(?-i:\b(?:AKIA|ASIA)[0-9A-Z]{16}|\b[rs]k_(?:live|test)_[0-9A-Za-z]{8}[0-9A-Za-z]*"
    r"|\bgh[pousr]_[0-9A-Za-z]{16}[0-9A-Za-z]*|\bgithub_pat_\w{16}\w*"
    r"|\bxox[abprs]-[0-9A-Za-z-]{10}[0-9A-Za-z-]*"
    r"|(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{4,}+(?:\.[\w-]*)?)"
    r"|\bbasic\s{1,8}(?=(?-i:[\w+/][a-z+/]{0,100}[A-Z0-9]))[A-Za-z0-9+/]{16}[A-Za-z0-9+/=]*"
)
"""Keys and tokens that are told by their form."""
MARKS_OF_ISSUED = (
    *("akia", "asia", "k_live_", "k_test_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("xox", "eyj", "basic"),
)
"""One of these, in small letters, is in each of them: so most texts need not be searched."""
ASSIGNED = (
    r"(?:pass|passwd|password|pwd|(?<![a-z])pw|secret|token|\bsig|\bauthorization"
    r"|(?:api|access|account|shared)[_-]?key)[\"'\\]{0,8}\s{0,8}[=:]"
)
"""A name of a secret, and the sign that its value follows."""
PRIVATE_KEY = r"-----BEGIN [^\n]{0,50}?PRIVATE KEY"

# What stands in an address, a connection string, a header or a command line.
_SECRET_VALUE = re.compile(
    r"://[^/?#\s]{0,500}@|://[^/?#\s@:]{0,500}:\S{0,500}@"
    rf"|{ASSIGNED}"
    r"|\bbearer\s|\s(?:-u|--user)[\s=]{0,8}\S{1,500}:\S|--(?:pass\w{0,20}|token|api-?key)[\s=]"
    rf"|{PRIVATE_KEY}",
    re.IGNORECASE,
)
_ISSUED = re.compile(ISSUED, re.IGNORECASE)
# Of a word as people write it: a longer one is no word of a language, but for a number.
_LONGEST_WORD = 30
_LONGEST_CAMEL = 12
_MOST_DIGITS = 4


def names_a_secret(name: str) -> bool:
    """Whether what has this name is a secret, as far as the name tells."""
    return bool(_SECRET_NAME.search(name))


def is_hidden(name: str, value: str) -> bool:
    """Whether the value of what has this name is a secret, as far as the two tell.

    Of a `token` every value is one, of a `token_status` what is no ordinary word.
    """
    if not value.strip() or not names_a_secret(name):
        return False
    return bool(_SECRET_ITSELF.search(name)) or not is_ordinary(value)


def is_ordinary(value: str) -> bool:
    """Whether the value is words of letters, as `token_expired`, or a short number."""
    if len(value) > _LONGEST_SEEN:
        return False
    words = [word for word in re.split(r"[\W_]+", value) if word]
    if all(map(str.isdecimal, words)):
        return sum(map(len, words)) <= _MOST_DIGITS
    return all(map(_is_word, words))


def _is_word(word: str) -> bool:
    is_in_one_case = word in (word.lower(), word.upper(), word.capitalize())
    return word.isalpha() and len(word) <= (_LONGEST_WORD if is_in_one_case else _LONGEST_CAMEL)


def holds_a_secret(value: str) -> bool:
    """Whether a secret stands in the value; of one that is very long, that is taken for granted."""
    if len(value) > _LONGEST_SEEN or _SECRET_VALUE.search(value):
        return True
    small = value.lower()
    return any(mark in small for mark in MARKS_OF_ISSUED) and bool(_ISSUED.search(value))
