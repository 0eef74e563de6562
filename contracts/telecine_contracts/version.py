"""The version of this distribution; semantic, see CHANGELOG.md."""

__version__ = "0.2.0"
