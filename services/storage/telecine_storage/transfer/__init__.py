"""The copy itself: one pass from source to bucket, the checks on the way, and the repair of stored objects."""
