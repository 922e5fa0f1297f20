"""Signs of a secret: in the name of what has a value, and in the value itself. Pure.

Patterns are bounded: whoever writes a schema writes the texts that they are held against.
"""

from __future__ import annotations

import re
from functools import lru_cache

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
# `token` names one, `token_status` only has to do with it, and so does `has_token`.
_SECRET_ITSELF = re.compile(rf"(?:{_ITSELF})(?:_hash)?[\d_]*$", re.IGNORECASE)
_FLAG = re.compile(r"(?:is|has)_", re.IGNORECASE)
# These name much else too, a kind of token and a ski pass: an ordinary word of theirs is none.
_ALSO_ORDINARY = re.compile(r"(?:token|pass|bearer|cookie|credentials?)[\d_]*$", re.IGNORECASE)
# Where `accessToken` and `APIKey` go on with another word.
_NEXT_WORD = re.compile(r"(?<=[a-z\d])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
ISSUED = (
    # AWS, Stripe, OpenAI, Anthropic, Google, GitLab, SendGrid, npm, GitHub, Slack; a JSON web
    # token; the header of a user with a password, where an ordinary word has no capital inside,
    # and no digit.
    r"(?-i:\b(?:AKIA|ASIA)[0-9A-Z]{16}|\b[rs]k_(?:live|test)_[0-9A-Za-z]{8}[0-9A-Za-z]*"
    r"|\bsk-(?:proj|ant)-[\w-]{16}[\w-]*|\bAIza[\w-]{35}|\bglpat-[\w-]{16}[\w-]*"
    r"|\bSG\.[\w-]{16,80}+\.[\w-]{16}[\w-]*|\bnpm_[0-9A-Za-z]{30}[0-9A-Za-z]*"
    r"|\bgh[pousr]_[0-9A-Za-z]{16}[0-9A-Za-z]*|\bgithub_pat_\w{16}\w*"
    r"|\bxox[abprs]-[0-9A-Za-z-]{10}[0-9A-Za-z-]*"
    r"|(?<![\w-])eyJ[\w-]{10,}+\.eyJ[\w-]{4,}+(?:\.[\w-]*)?)"
    r"|\bbasic\s{1,8}(?=(?-i:[\w+/][a-z+/]{0,100}[A-Z0-9]))[A-Za-z0-9+/]{16}[A-Za-z0-9+/=]*"
)
"""Keys and tokens that are told by their form."""
MARKS_OF_ISSUED = (
    *("akia", "asia", "k_live_", "k_test_", "ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"),
    *("sk-proj-", "sk-ant-", "aiza", "glpat-", "sg.", "npm_", "xox", "eyj", "basic"),
)
"""One of these, in small letters, is in each of them: so most texts need not be searched."""
ASSIGNED = rf"(?:{_ITSELF}|\bsig|\bauthorization)[\"'\\]{{0,8}}\s{{0,8}}[=:]"
"""A name of a secret, and the sign that its value follows."""
PRIVATE_KEY = r"-----BEGIN [^\n]{0,50}?PRIVATE KEY"

# What stands in an address, a connection string, a header or a command line. In a pattern no user
# has a letter (`://%:%@`, `://[^@]*@`), and after a name stands its last sign.
_SECRET_VALUE = re.compile(
    r"://(?=[^\w\s@\\]{0,50}\w)(?:[^/?#\s]{0,500}@|[^/?#\s@:]{0,500}:\S{0,500}@)"
    rf"|{ASSIGNED}(?!%'?\Z)"
    r"|\bbearer\s|\s(?:-u|--user)[\s=]{0,8}\S{1,500}:\S|--(?:pass\w{0,20}|token|api-?key)[\s=]"
    rf"|{PRIVATE_KEY}",
    re.IGNORECASE,
)
_ISSUED = re.compile(ISSUED, re.IGNORECASE)
# What the name of a secret is given or compared with to tell how it is made or kept.
_METHOD = (
    r"(?:md5|sha[123]?(?:[_/-]?(?:1|224|256|384|512))?|bcrypt|scrypt|argon2(?:id?|d)?|pbkdf2"
    r"|crc32|blake2[bs]?|[re]s(?:256|384|512)|hs(?:256|384|512)|rsa\d{0,4}|ed25519|x509|bf|3?des"
    r"|aes[_-]?(?:128|192|256)?|base(?:32|58|64)(?:url)?|hex|escape|utf-?8|pkcs\d{0,2}|jwt"
    r"|uuid[ _-]?v?\d?|o?auth[012]|saml2?|oidc|2fa|(?:var)?char|int[248]?|bigint|bytea|text)"
    r"(?:[/:-](?:cbc|ecb|gcm|pad|pkcs|none)){0,4}(?:\((?:\w{1,10}=)?\d{1,5}\))?"
)
# No value: a sign or three, a method, and a pattern that has classes and ordinary words alone.
_NO_VALUE = re.compile(rf"\s*|[\W_]{{1,3}}|{_METHOD}", re.IGNORECASE)
_CLASS = re.compile(r"\[[^\]]{0,100}\]|\{[\d,]{1,9}\}|\\[A-Za-z]")
# What tells a reader of a comment: `<token>`, a short number, `active=1`, `0=no`, a method.
_TELLING = re.compile(
    r"(?:<[^<>]{1,100}>|\d{1,4}|[^\W\d]{1,30}=\d{1,4}|\d{1,4}=[^\W\d]{1,30}"
    rf"|{_METHOD})[.)!?]{{0,3}}",
    re.IGNORECASE,
)
# A short code: `V1`.
_CODE = re.compile(r"[^\W\d_]{1,2}\d{1,3}")
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


# One name has many values: a list of them, or each literal of a text that never ends.
@lru_cache(maxsize=256)
def names_a_secret(name: str) -> bool:
    """Whether a word of the name is that of a secret: of `token_status`, not of `passenger`."""
    return may_name_a_secret(name) and bool(_SECRET_NAME.search(_in_words(name)))


def is_hidden(name: str, value: str) -> bool:
    """Whether the value of what has this name is a secret, as far as the two tell.

    Of a `password` every value is one; of a `token` what is no ordinary word; of a `token_status`
    neither a number nor a date, as `token_expires_at` is compared with.
    """
    if not names_a_secret(name) or is_no_value(value):
        return False
    is_itself, also_as_word = _secrecy_of(name)
    if is_ordinary(value):
        return also_as_word
    return is_itself or not _MEASURE.fullmatch(value)


@lru_cache(maxsize=256)
def _secrecy_of(name: str) -> tuple[bool, bool]:
    """Whether the value of the name is the secret itself, and whether it is one as a word too."""
    words = _in_words(name)
    is_itself = bool(_SECRET_ITSELF.search(words)) and not _FLAG.match(words)
    return is_itself, is_itself and not _ALSO_ORDINARY.search(words)


def is_no_value(value: str) -> bool:
    """Whether the value is of no secret whatever it is given to: 'sha256', '^[0-9a-f]{64}$'."""
    if len(value) > _LONGEST_SEEN:
        return False
    if _NO_VALUE.fullmatch(value):
        return True
    rest, classes = _CLASS.subn(" ", value)
    return bool(classes) and value.startswith("^") and is_ordinary(rest)


def tells_of_a_column(value: str) -> bool:
    """Whether what follows the name of a secret in a comment tells what that is or may be."""
    return bool(_TELLING.fullmatch(value))


def _in_words(name: str) -> str:
    return _NEXT_WORD.sub("_", name)


def is_ordinary(value: str) -> bool:
    """Whether the value is words, as `token_expired`, short codes or a short number: `1-day`."""
    if len(value) > _LONGEST_SEEN:
        return False
    if _NO_VALUE.fullmatch(value):
        return True
    words = [word for word in re.split(r"[\W_]+", value) if word]
    if sum(map(str.isdecimal, value)) > _MOST_DIGITS:
        return False
    # A number may come first: `canary-77` is as people make a password.
    first, others = words[:1], words[1:]
    return all(map(str.isdecimal, words)) or (
        all(map(_is_word, others)) and all(word.isdecimal() or _is_word(word) for word in first)
    )


def _is_word(word: str) -> bool:
    if _CODE.fullmatch(word):
        return True
    is_in_one_case = word in (word.lower(), word.upper(), word.capitalize())
    return word.isalpha() and len(word) <= (_LONGEST_WORD if is_in_one_case else _LONGEST_CAMEL)


def holds_a_secret(value: str) -> bool:
    """Whether a secret stands in the value; of one that is very long, that is taken for granted."""
    if len(value) > _LONGEST_SEEN or _SECRET_VALUE.search(value):
        return True
    small = value.lower()
    return any(mark in small for mark in MARKS_OF_ISSUED) and bool(_ISSUED.search(value))
