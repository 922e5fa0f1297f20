"""Documentation: what each table is about, in sentences, from names, keys and comments."""
