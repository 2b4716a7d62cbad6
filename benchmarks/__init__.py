"""Measured beside a plain way of doing the same; see __main__."""
