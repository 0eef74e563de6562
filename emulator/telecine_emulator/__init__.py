"""A stand-in for Volcano Ark's video API over real HTTP."""
