"""The auditor: checks a ledger by its own rules and imports no service."""
