"""Lifecycle: what a listed, paused, removed or failing connection needs done."""
