"""Plain clients of the servers around us: catalog, Ollama, Qdrant, webhook. No Dagster here."""
