"""The demo: three sample databases are connected, and one watches what becomes of them."""
