"""The command `telecine`."""
