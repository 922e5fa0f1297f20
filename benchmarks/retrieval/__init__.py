"""How well the tables of a question are found: recall over labelled question sets."""
