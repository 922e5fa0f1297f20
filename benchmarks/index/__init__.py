"""How fast the schema index is published, and what a publication without changes costs."""
