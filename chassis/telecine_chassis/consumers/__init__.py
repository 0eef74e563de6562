"""Durable consumers: the reactor, its dispatch, retries, dead letters and monitoring."""
