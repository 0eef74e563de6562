"""The event store, the handling of commands on it, and subscriptions to its streams."""
