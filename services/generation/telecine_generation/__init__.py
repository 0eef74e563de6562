"""Submits generations to the video provider and polls them."""
