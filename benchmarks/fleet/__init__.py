"""What becomes of many databases that are connected at once, on the whole stack."""
