"""One module a command; `telecine_auditor.cli` lists them."""
