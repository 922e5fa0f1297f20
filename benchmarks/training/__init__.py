"""Whether what users taught survives a change of the schema, and what a training costs."""
