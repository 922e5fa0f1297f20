"""Lifecycle: what a listed, paused or removed connection needs done."""
