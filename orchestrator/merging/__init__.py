"""The merge queue: from a finished branch to a landed commit."""
