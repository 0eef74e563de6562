"""Everything between a command and the terminal: options, exit codes, tables, progress, files."""
