"""Requesting, following and cancelling videos."""
