"""Named rights held for a while: leases, their heartbeat, waiting for them, kernel locks."""
