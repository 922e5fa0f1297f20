"""Documentation: what each table is about, from its schema and what people and a model say."""
