"""Training examples of users: read from the application, checked against the schema, stored."""
