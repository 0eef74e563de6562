"""Services that are forked from one process which has imported them, and so share that memory (Linux)."""
