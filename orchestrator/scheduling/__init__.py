"""Which plan may start now, and why another one waits."""
