"""The stack of one machine: which processes, with which environment, started and ended how."""
