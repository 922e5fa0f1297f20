"""Dagster definitions of training: assets, job, sensors. What they do lives in the domains."""
