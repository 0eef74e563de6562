"""Building, starting, supervising and stopping a service."""
