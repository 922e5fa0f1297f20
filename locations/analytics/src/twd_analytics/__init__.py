"""Code location analytics: what the application's users ask, and how right the SQL they get is."""
