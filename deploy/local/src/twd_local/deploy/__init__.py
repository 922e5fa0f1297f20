"""Replacing the code server of one location, while everything else goes on."""
