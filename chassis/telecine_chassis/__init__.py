"""The framework of telecine's services: event store, consumers, timers, projections, telemetry, runtime."""
