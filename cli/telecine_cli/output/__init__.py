"""The output of the commands: text, tables and JSON."""
