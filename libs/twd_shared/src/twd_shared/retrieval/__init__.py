"""Retrieval: from a question to the tables of one connection that may answer it."""
