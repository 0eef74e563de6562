"""Rate limits: how many requests an API key, an account, or a client address may send."""
