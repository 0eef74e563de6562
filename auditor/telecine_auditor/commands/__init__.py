"""One module a command; `telecine_auditor.command_line` lists them."""
