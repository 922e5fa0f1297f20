"""A server that speaks the Ollama HTTP protocol, with one lexical embedding model and no LLM."""
