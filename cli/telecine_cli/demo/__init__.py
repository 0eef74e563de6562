"""`telecine demo`: runs two generations on a stack and prints every event."""
