"""Named rights held by a session for a while, each with a fencing token."""
