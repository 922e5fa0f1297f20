"""Names and texts as a dialect writes them."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable
from functools import lru_cache

# In a database of UTF-8, a server lowers no other letters: Địachỉ keeps its capital.
# https://www.postgresql.org/docs/18/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_PLAIN_NAME = re.compile(r"[a-z_][a-z0-9_]*\Z")
# The key words that PostgreSQL 18 quotes when it writes a name (`pg_get_keywords`, all but the
# unreserved); quoting one more is harmless for other dialects.
_QUOTED_WORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary
    bit boolean both case cast char character check coalesce collate collation column
    concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user dec decimal default deferrable
    desc distinct do else end except exists extract false fetch float for foreign freeze from
    full grant greatest group grouping having ilike in initially inner inout int integer
    intersect interval into is isnull join json json_array json_arrayagg json_exists
    json_object json_objectagg json_query json_scalar json_serialize json_table json_value
    lateral leading least left like limit localtime localtimestamp merge_action national
    natural nchar none normalize not notnull null nullif numeric offset on only or order out
    outer overlaps overlay placing position precision primary real references returning right
    row select session_user setof similar smallint some substring symmetric system_user table
    tablesample then time timestamp to trailing treat trim true union unique user using values
    varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
    xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """.split()
)
# What the others reserve besides: MySQL 9 and MariaDB 11 together, and SQLite.
_RESERVED = {
    "mysql": frozenset(
        """
        accessible add alter asensitive before blob by call cascade change condition
        continue convert cube cume_dist cursor database databases day_hour day_microsecond
        day_minute day_second declare delayed delete delete_domain_id dense_rank describe
        deterministic distinctrow div do_domain_ids double drop dual each elseif empty
        enclosed escaped exit explain first_value float4 float8 force fulltext function
        generated get groups high_priority hour_microsecond hour_minute hour_second if
        ignore ignore_domain_ids index infile insensitive insert int1 int2 int3 int4 int8
        io_after_gtids io_before_gtids iterate key keys kill lag last_value lead leave
        library linear lines load lock long longblob longtext loop low_priority manual
        master_bind master_demote_to_replica master_demote_to_slave
        master_ssl_verify_server_cert match maxvalue mediumblob mediumint mediumtext
        middleint minute_microsecond minute_second mod modifies no_write_to_binlog nth_value
        ntile of optimize optimizer_costs option optionally outfile over page_checksum
        parallel parse_vcol_expr partition percent_rank portion procedure purge qualify
        range rank read read_write reads recursive ref_system_id regexp release rename
        repeat replace require resignal restrict return revoke rlike row_number rows schema
        schemas second_microsecond sensitive separator set show signal spatial specific sql
        sql_big_result sql_calc_found_rows sql_small_result sqlexception sqlstate sqlwarning
        ssl starting stats_auto_recalc stats_persistent stats_sample_pages stored
        straight_join system terminated tinyblob tinyint tinytext trigger undo unlock
        unsigned update usage use utc_date utc_time utc_timestamp varbinary varcharacter
        varying virtual while write xor year_month zerofill
        """.split()
    ),
    "sqlite": frozenset(
        """
        add alter autoincrement commit delete drop escape glob if index indexed insert match
        nothing raise regexp set transaction update
        """.split()
    ),
}

# What SQLite takes for a type without quotes, as far as none of its other words stand in it.
_PLAIN_TYPE = re.compile(
    r"(?:[a-z_]\w*(?:\s+[a-z_]\w*)*(?:\s*\(\s*[+-]?\d+\s*(?:,\s*[+-]?\d+\s*)?\))?)?",
    re.IGNORECASE | re.ASCII,
)
# Of words that are quoted as names, SQLite takes these in a type.
_WORDS_OF_TYPES = frozenset(
    """
    any array bigint binary bit boolean char character dec decimal float int integer interval
    national nchar numeric precision real setof smallint time timestamp varchar
    """.split()
)
_NO_WORDS_OF_TYPES = (_QUOTED_WORDS | _RESERVED["sqlite"] | {"always"}) - _WORDS_OF_TYPES


# A schema repeats its names: each stands in its table, keys, indexes and comments.
@lru_cache(maxsize=65536)
def quote_name(name: str, dialect: str = "postgresql") -> str:
    """`name` as an identifier of `dialect`, quoted unless it is plain and not reserved."""
    is_word = name in _QUOTED_WORDS or name in _RESERVED.get(dialect, ())
    if _PLAIN_NAME.match(name) and not is_word:
        return name
    return _in_quotes(name, "`" if dialect == "mysql" else '"')


def quote_type(text: str, dialect: str) -> str:
    """A column's type as `dialect` writes it: in SQLite any text is one, if it is quoted."""
    if dialect != "sqlite":
        return text
    words = re.findall(r"[a-z_]\w*", text.lower())
    if _PLAIN_TYPE.fullmatch(text) and _NO_WORDS_OF_TYPES.isdisjoint(words):
        return text
    return _in_quotes(text, '"')


def _in_quotes(text: str, mark: str) -> str:
    return mark + text.replace(mark, mark * 2) + mark


def unquoted(name: str) -> str:
    """What PostgreSQL takes a name for that is written without quotes."""
    return name.translate(_ASCII_LOWER)


def quote_names(names: Iterable[str], dialect: str = "postgresql") -> str:
    """The names as a list for SQL: `a, "B"`."""
    return ", ".join(quote_name(name, dialect) for name in names)


def qualified(schema: str, name: str, dialect: str = "postgresql") -> str:
    """`schema.name`, or the name alone where there is no schema."""
    quoted = quote_name(name, dialect)
    return f"{quote_name(schema, dialect)}.{quoted}" if schema else quoted


def literal(text: str, dialect: str = "postgresql") -> str:
    """`text` as a string constant, whatever the server holds of backslashes."""
    quoted = "'" + text.replace("'", "''") + "'"
    if "\\" not in text or dialect == "sqlite":
        return quoted
    quoted = quoted.replace("\\", "\\\\")
    return quoted if dialect == "mysql" else f"E{quoted}"


def comment_on(what: str, text: str) -> str:
    """PostgreSQL's COMMENT ON, for `what` as it names an object: `TABLE sales.orders`."""
    return f"COMMENT ON {what} IS {literal(text)}"
