"""The auditor: takes nothing on trust, imports no service."""
