"""Arguments, options and help texts of all commands. The work is imported inside the functions: help is instant."""
