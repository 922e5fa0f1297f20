"""Signs of a secret: in the name of what has a value, and in the value itself. Pure.

Patterns are bounded: whoever writes a schema writes the texts that they are held against.
"""

from __future__ import annotations

import re

# What is longer is taken for one without a look: neither an option nor a literal is often so long.
_LONGEST_SEEN = 4_000

_KEY_NAME = r"(?:api|access|account|shared|master|encryption|signing|secret|private)[_ -]?key"
_MAT_KHAU = r"m[aậ]t[_ -]?kh[aẩ]u"
# What begins or ends inside a word is none: neither `compass` nor `passenger` is a `pass`.
_ITSELF = (
    r"passw(?:or)?d|passphrase|passcode|pwd|secret|token|credentials?"
    r"|(?<![^\W\d_])(?:(?:db|user|root|admin|smtp|ftp)?pass|pw|bearer|cookie)"
    rf"|{_MAT_KHAU}|{_KEY_NAME}"
)
# May stand for one anywhere in a text: a look at its names is worth the while.
_HINT = re.compile(
    rf"pass|pw|secret|token|credential|private|auth(?!or\b)|bearer|cookie|{_MAT_KHAU}|{_KEY_NAME}",
    re.IGNORECASE,
)
_SECRET_NAME = re.compile(
    r"passw(?:or)?d|passphrase|passcode|pwd|secret(?!ar|ion)|token(?!i[sz])|credential"
    r"|(?<![^\W\d_])(?:(?:db|user|root|admin|smtp|ftp)?pass|pw|bearer|cookies?|private|o?auth"
    r"|authorization|authentication)(?![^\W\d_])"
    # A key alone says which columns are one.
    rf"|{_MAT_KHAU}|{_KEY_NAME}",
    re.IGNORECASE,
)
# `token` names one, `token_status` only has to do with it.
_SECRET_ITSELF = re.compile(rf"(?:{_ITSELF})[\d_]*$", re.IGNORECASE)
# Where `accessToken` and `APIKey` go on with another word.
_NEXT_WORD = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
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
ASSIGNED = rf"(?:{_ITSELF}|pass|\bsig|\bauthorization)[\"'\\]{{0,8}}\s{{0,8}}[=:]"
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
# A number, a date, a time, how long something takes.
_MEASURE = re.compile(
    r"[+-]?\d{1,12}(?:\.\d{1,12})?"
    r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?"
    r"|\d\d:\d\d(?::\d\d)?|\d{1,5} (?:year|mon|day|hour|min|sec)[a-z]{0,4}"
)


def may_name_a_secret(text: str) -> bool:
    """Whether one who is careful takes this for the name of a secret, or for SQL with one in it."""
    return bool(_HINT.search(text))


def names_a_secret(name: str) -> bool:
    """Whether a word of the name is that of a secret: of `token_status`, not of `passenger`."""
    return may_name_a_secret(name) and bool(_SECRET_NAME.search(_in_words(name)))


def is_hidden(name: str, value: str) -> bool:
    """Whether the value of what has this name is a secret, as far as the two tell.

    Of a `token` every value is one; of a `token_status` what is no ordinary word, and no number or
    date, as `token_expires_at` is compared with.
    """
    if not value.strip() or not names_a_secret(name):
        return False
    if _SECRET_ITSELF.search(_in_words(name)):
        return True
    return not is_ordinary(value) and not _MEASURE.fullmatch(value)


def _in_words(name: str) -> str:
    return _NEXT_WORD.sub("_", name)


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
