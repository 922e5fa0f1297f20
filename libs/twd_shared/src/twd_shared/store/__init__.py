"""The metadata database: tables of schema `twd`, their migrations and the shared repositories."""
