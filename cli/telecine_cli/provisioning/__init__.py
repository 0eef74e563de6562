"""Streams, consumers, NATS identities and secrets: what must exist before services run."""
