"""A server that speaks the Ollama HTTP protocol, with two lexical embedding models and no LLM."""
