"""Port to the object store, and its adapters."""
