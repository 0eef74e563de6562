"""Copies finished videos to the bucket."""
