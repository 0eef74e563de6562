"""Grants, corrections, limits and closed accounts."""
