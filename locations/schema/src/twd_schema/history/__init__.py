"""History: what was read goes into the snapshot store, and how the source is doing is recorded."""
