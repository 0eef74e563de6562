"""The bytes of stored videos."""
