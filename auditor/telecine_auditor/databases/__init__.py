"""Comparison of the tables of credits with the ledger: the command `compare`."""
