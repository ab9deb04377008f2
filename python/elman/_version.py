"""The version: it stands here alone. pyproject.toml, CHANGELOG.md and the tag of a release follow it."""

__version__ = "0.1.0"
