"""Projections: tables that follow a stream, in slots of SQLite or Postgres."""
