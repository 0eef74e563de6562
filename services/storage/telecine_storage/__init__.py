"""Copies finished videos into the bucket."""
