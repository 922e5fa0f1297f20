"""How quickly changed sources are found, and what a sync costs where little has changed."""
