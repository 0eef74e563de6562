"""Submits generations to the video provider and follows them."""
