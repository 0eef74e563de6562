"""Port to the video provider, and its adapters."""
