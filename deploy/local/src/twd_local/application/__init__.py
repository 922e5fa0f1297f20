"""The sample application: its API, its tables, and the sample data in them."""
