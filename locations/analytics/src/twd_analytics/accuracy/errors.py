"""Classes of what goes wrong with generated SQL, from the text that the database answered.

Known: PostgreSQL's and MySQL's messages in English, and their codes in any language.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

ErrorClass = Literal[
    "syntax",
    "unknown_table",
    "unknown_column",
    "ambiguous_column",
    "type",
    "permission",
    "timeout",
    "empty_result",
    "other",
]
ERROR_CLASSES: tuple[ErrorClass, ...] = get_args(ErrorClass)

_MYSQL = r"(?:\(|error )"
"""What stands before a number of MySQL's."""
# The first that matches counts: a refused table says "permission denied for table x", and a column
# that is missing may be called timeout.
_SIGNS: tuple[tuple[ErrorClass, str], ...] = (
    (
        "permission",
        r"permission denied|command denied|access denied|must be owner|read-only transaction"
        r"|readonly database"
        r"|\b(42501|25006)\b|" + _MYSQL + r"(1142|1143|1044|1045)\b",
    ),
    (
        "unknown_column",
        r"column .* does not exist|unknown column|no such column|missing from-clause"
        r"|invalid reference to from-clause|no field .* in|\b42703\b|" + _MYSQL + r"1054\b",
    ),
    (
        "unknown_table",
        r"(relation|table|schema) .*(does not exist|doesn't exist)|unknown (table|database)"
        r"|no such table|\b(42P01|3F000)\b|" + _MYSQL + r"(1146|1109|1049)\b",
    ),
    ("ambiguous_column", r"is ambiguous|ambiguous column|\b42702\b|" + _MYSQL + r"1052\b"),
    (
        "timeout",
        r"timed? ?out|execution time exceeded|\b57014\b|" + _MYSQL + r"(3024|1205)\b",
    ),
    (
        "type",
        r"operator does not exist|function .* does not exist|invalid input (syntax|value)"
        r"|cannot cast|could not (determine|convert)|datatype mismatch|data type|must be type"
        r"|cannot be matched|is of type|incorrect .* value|truncated incorrect|out of range"
        r"|\b(42883|42725|42804|42846|22P02|22007|22008|22003)\b|" + _MYSQL + r"(1292|1366|1305)\b",
    ),
    (
        "syntax",
        r"syntax|unterminated|must appear in the group by|subquery has too many"
        r"|not allowed in|not in group by|must have the same number of columns"
        r"|must appear in select list|cannot be nested"
        r"|\b(42601|42803|42P10)\b|" + _MYSQL + r"(1064|1055|1140|1222)\b",
    ),
)


# The SQL, names and values that the text repeats say nothing of its kind.
_ECHOED = re.compile(
    r"\n(?!error|code)\w+ \d+ ?:[^\n]*(?=\n\s*\^|\Z)|\[SQL:.*", re.DOTALL | re.IGNORECASE
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|»[^«]*«")


def class_of_error(text: str) -> ErrorClass | None:
    """The class of a database's error text, or None if no sign of a class is in it."""
    said = _QUOTED.sub('""', _ECHOED.sub("", text))
    return next((name for name, sign in _SIGNS if re.search(sign, said, re.IGNORECASE)), None)
