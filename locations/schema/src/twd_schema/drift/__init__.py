"""Drift: how a newest snapshot differs from what the schema index holds, and what that breaks."""
