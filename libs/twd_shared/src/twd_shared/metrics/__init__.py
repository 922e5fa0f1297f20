"""What Prometheus is told: read from PostgreSQL with plain SQL when it asks, without Dagster.

The process is small and idle most of the time, and holds no connection between two scrapes.
Importing Dagster, SQLAlchemy or a client of another server here would make it several times larger.
"""
