"""Emulates Volcano Ark's video API over HTTP."""
