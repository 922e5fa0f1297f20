"""What a piece of generated SQL is: whether it parses, which tables it names, its shape."""
