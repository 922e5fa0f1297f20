"""Evaluation: how well tables are found and SQL is written, and the gate of new knowledge bases."""
