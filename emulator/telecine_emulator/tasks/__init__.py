"""Tasks: creation, state machine, scheduler, store, callbacks."""
