"""Tables, projections and queries."""
