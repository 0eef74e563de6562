"""A complete stack on one machine: its configuration, its processes, and their supervision."""
