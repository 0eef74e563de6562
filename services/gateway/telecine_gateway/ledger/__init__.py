"""The port to the credits service."""
