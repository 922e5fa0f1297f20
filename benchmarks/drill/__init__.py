"""Faults on a whole stack at random moments of its work, and what is true after each of them."""
