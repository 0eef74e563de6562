"""The HTTP server inside a service, with limits on clients."""
