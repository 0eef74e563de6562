"""What reports are made of: statements, liabilities, provider usage."""
