"""A mirror of the streams on disk: its format, reading, writing, restoring."""
