"""The events of telecine: models, subjects, streams, schemas and price table."""
