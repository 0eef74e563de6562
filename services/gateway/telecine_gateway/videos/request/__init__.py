"""A request for a video: its body, its prompt, and the URLs of its media."""
