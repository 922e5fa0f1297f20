"""The schema location: imports the schemas of source databases and keeps their index in sync."""
