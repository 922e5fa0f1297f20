"""Source databases: where one is, whether it may be reached, and a session that only reads."""
