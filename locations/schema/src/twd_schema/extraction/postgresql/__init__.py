"""PostgreSQL: what is asked of its catalogs, how it is asked, and what is made of the answers."""
