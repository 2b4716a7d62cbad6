"""One use case a function; what the faces call."""
