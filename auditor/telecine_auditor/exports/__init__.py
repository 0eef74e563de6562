"""The ledger as books for other programs: the command `export`."""
