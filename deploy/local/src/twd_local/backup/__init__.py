"""Backup and restore of what cannot be made again: the metadata database and the vector index.

A backup is a folder: `metadata.dump` (pg_dump), a file of points for each collection, and
`manifest.json`, which is written last. Not here: source databases and the application, which are
not ours, and what a server is made of (roles, settings, its own snapshots).
"""
