"""What stands in for servers on a laptop: PostgreSQL, Qdrant, Ollama, the application."""
