"""Extraction: one reading of a source database's schema as a snapshot. Sources are only read."""
