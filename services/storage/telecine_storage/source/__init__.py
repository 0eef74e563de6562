"""Port to the provider's result files, and its adapters."""
