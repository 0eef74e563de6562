"""Tables, projections and queries of pending and stored videos."""
