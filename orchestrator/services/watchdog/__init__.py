"""What sessions leave when they crash is found and put right, by one watchdog of the repository at a time."""
