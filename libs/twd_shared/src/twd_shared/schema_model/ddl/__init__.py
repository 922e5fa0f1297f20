"""CREATE statements for the objects of a snapshot: of one table, or of a whole schema in order."""

from twd_shared.schema_model.ddl.constraints import foreign_key_definition, key_definition
from twd_shared.schema_model.ddl.names import quote_name
from twd_shared.schema_model.ddl.script import schema_script
from twd_shared.schema_model.ddl.table import table_ddl, table_statements

__all__ = [
    "foreign_key_definition",
    "key_definition",
    "quote_name",
    "schema_script",
    "table_ddl",
    "table_statements",
]
