"""Indexing: from tables to points of the schema index, embedding only what is new."""
