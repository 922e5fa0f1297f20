"""Thin Dagster definitions of this location; what they do stands in the domain folders."""
