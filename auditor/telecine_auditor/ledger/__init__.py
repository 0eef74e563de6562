"""The ledger: parsing, replay of entries, and the state of accounts."""
