"""Coding agents: where they keep their settings, and planctl's entries in them."""
