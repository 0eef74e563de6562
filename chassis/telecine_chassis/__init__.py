"""How telecine's services speak: event store, reactors, timers, projections, settings."""
