"""Dagster resources over the plain clients, given to assets and sensors of all locations."""
