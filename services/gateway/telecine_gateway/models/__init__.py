"""The models that are offered: what each takes, and what it costs."""
