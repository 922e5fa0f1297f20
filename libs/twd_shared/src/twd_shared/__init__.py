"""What the three code locations have in common: contract, clients, stores, resources."""
