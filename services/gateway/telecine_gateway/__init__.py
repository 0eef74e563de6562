"""The HTTP face of telecine."""
