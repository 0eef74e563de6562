"""Business rules of a generation; pure."""
