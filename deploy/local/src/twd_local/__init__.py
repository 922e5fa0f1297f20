"""What stands in for servers on a laptop: PostgreSQL, vector index, embedding model, application."""
