"""What a text of SQL names: plain functions, each module one step from text to names."""
