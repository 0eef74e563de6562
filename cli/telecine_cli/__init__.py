"""The telecine command."""
