"""Settings from the environment, and checks of secrets."""
