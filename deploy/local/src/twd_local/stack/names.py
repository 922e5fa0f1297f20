"""The names of the stack's services, in the order in which they start."""

from __future__ import annotations

# The same as in twd_shared.contract, which imports Dagster: a second for every command. A test
# compares the two with the folders under locations/.
LOCATIONS: tuple[str, ...] = ("schema", "training", "analytics")
STAND_INS = ("postgres", "qdrant", "ollama", "application")
ORDER = (*STAND_INS, *LOCATIONS, "webserver", "daemon", "metrics")
PORTLESS = ("daemon",)
