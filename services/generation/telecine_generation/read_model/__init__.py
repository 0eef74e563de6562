"""Tables, projections and queries of the generations in flight."""
