"""Where stored messages come from: the port, one message, and NATS."""
