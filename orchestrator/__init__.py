"""Who runs when, who may land, who is alive; and the faces that people and programs use."""

__version__ = "0.1.0"
"""Stands here as well as in pyproject.toml (a test compares): reading package metadata costs 60 ms."""
