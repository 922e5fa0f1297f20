"""Daily accuracy of generated SQL: how much parses and runs, and why the rest fails."""
