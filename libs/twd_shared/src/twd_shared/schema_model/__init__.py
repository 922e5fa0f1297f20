"""A database schema as plain values: models, fingerprints and DDL. No I/O belongs here."""
