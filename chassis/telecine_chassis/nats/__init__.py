"""Connections of services to NATS, and requests over them."""
