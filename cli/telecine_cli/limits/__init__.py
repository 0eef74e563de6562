"""`telecine limits`: rate limits of accounts."""
