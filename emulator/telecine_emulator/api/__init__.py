"""The HTTP API: routes, validation, errors and wire format."""
