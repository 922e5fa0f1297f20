"""PostgreSQL: what is asked of its catalogs, how it is asked, and what is made of the answers."""

APPLICATION_NAME = "twd-schema"
"""How a source's own statistics name these sessions."""
