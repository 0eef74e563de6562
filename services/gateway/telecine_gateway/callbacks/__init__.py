"""The provider's callbacks."""
