"""Dagster definitions of the schema location: thin declarations over the domain folders."""
