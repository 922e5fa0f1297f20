"""Whether statements only read: nothing is written, locked, set, run or fetched from elsewhere.

What is not known to read counts as writing. A function of the database's own may write all the
same: only those that come with a server are known here.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache

from sqlglot import exp

from twd_shared.sql.parsing import parsed

_QUERIES = (exp.Query, exp.Values, exp.Show)
_WRITES = (
    exp.Insert,
    exp.Update,
    exp.Delete,
    exp.Merge,
    exp.Create,
    exp.Drop,
    exp.Alter,
    exp.TruncateTable,
    exp.Copy,
    exp.Command,
    exp.Set,
    exp.Into,
    exp.Lock,
    exp.NextValueFor,
)

# Functions that change something, or reach out of the database; of a name with * the beginning.
_EFFECTS = {
    "postgresql": """
        nextval setval set_config pg_notify pg_terminate_backend pg_cancel_backend pg_advisory_*
        pg_try_advisory_* lo_* lowrite dblink* pg_read_file pg_read_binary_file pg_ls_* pg_stat_file
        pg_file_* pg_reload_conf pg_rotate_logfile* pg_switch_wal pg_create_* pg_drop_* pg_promote
        pg_wal_replay_* pg_logical_* pg_replication_* pg_copy_* pg_backup_* pg_start_backup
        pg_stop_backup pg_stat_reset* pg_export_snapshot pg_import_* pg_log_* pg_restore_*
        pg_clear_* pg_sync_replication_slots query_to_xml* cursor_to_xml* ts_stat ts_rewrite
        brin_summarize_* brin_desummarize_range gin_clean_pending_list
    """,
    "mysql": """
        nextval setval load_file get_lock release_lock release_all_locks service_get_*
        service_release_locks sys_exec sys_eval sys_set group_replication_*
        asynchronous_connection_* version_tokens_*
    """,
    "sqlite": "load_extension writefile readfile edit fts3_tokenizer",
}
# Of SQLite: those that ask with an argument, and those that ask without.
_ASKING_PRAGMAS = frozenset(
    """
    table_info table_xinfo table_list index_list index_info index_xinfo foreign_key_list
    foreign_key_check integrity_check quick_check function_list module_list pragma_list
    collation_list database_list compile_options
    """.split()
)
_SETTING_PRAGMAS = frozenset(
    """
    application_id auto_vacuum cache_size encoding foreign_keys freelist_count journal_mode
    max_page_count page_count page_size query_only recursive_triggers schema_version synchronous
    temp_store user_version
    """.split()
)

_ANALYZE = re.compile(r"\banaly[sz]e\b", re.IGNORECASE)
_OPTIONS = re.compile(r"\s*(?:(?:\([^()]*\)|analy[sz]e\b|verbose\b)\s*)+", re.IGNORECASE)


def only_reads(statements: Sequence[exp.Expr] | None, db_type: str) -> bool:
    """Whether each of the statements, as `parsed` gives them, only reads; False if there is none.

    A server plans what EXPLAIN is of and does not run it, unless ANALYZE is asked for.
    """
    effects = _effects_of(db_type)
    return bool(statements) and all(_reads(item, db_type, effects) for item in statements)


def _reads(statement: exp.Expr, db_type: str, effects: re.Pattern[str]) -> bool:
    if isinstance(statement, exp.Command):
        return _command_reads(statement, db_type)
    if isinstance(statement, exp.Pragma):
        return _pragma_reads(statement)
    if isinstance(statement, exp.Describe):
        if statement.args.get("style") is None:
            return True
    elif not isinstance(statement, _QUERIES):
        return False
    return not any(_may_write(type(node)) and _writes(node, effects) for node in statement.walk())


@cache
def _may_write(kind: type[exp.Expr]) -> bool:
    """Whether nodes of the kind are to be looked at: few of a statement are."""
    return issubclass(kind, (*_WRITES, exp.Anonymous))


def _writes(node: exp.Expr, effects: re.Pattern[str]) -> bool:
    # A name in U&"" may be spelt with escapes.
    return (
        not isinstance(node, exp.Anonymous)
        or "\\" in node.name
        or effects.fullmatch(node.name) is not None
    )


@cache
def _effects_of(db_type: str) -> re.Pattern[str]:
    names = _EFFECTS.get(db_type, " ".join(_EFFECTS.values())).split()
    return re.compile("|".join(name.replace("*", r"\w*") for name in names), re.IGNORECASE)


def _command_reads(command: exp.Command, db_type: str) -> bool:
    """Of a statement that was not taken apart: SHOW reads, and EXPLAIN of what reads."""
    if command.name.upper() == "SHOW":
        return True
    text = command.text("expression")
    if command.name.upper() != "EXPLAIN":
        return False
    if not _ANALYZE.search(text):
        return True
    options = _OPTIONS.match(text)
    explained = parsed(text[options.end() :] if options else text, db_type)
    # One EXPLAIN in another is none: it would nest as deep as one likes.
    is_nested = any(isinstance(item, exp.Command) for item in explained or ())
    return not is_nested and only_reads(explained, db_type)


def _pragma_reads(pragma: exp.Pragma) -> bool:
    asked = pragma.this
    is_given = isinstance(asked, exp.EQ)
    named = asked.this if is_given else asked
    name = (named.expression if isinstance(named, exp.Dot) else named).name.lower()
    return name in _ASKING_PRAGMAS or (not is_given and name in _SETTING_PRAGMAS)
