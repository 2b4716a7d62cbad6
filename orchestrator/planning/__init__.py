"""What the queue checks and lands next, purely: a snapshot in, the wanted checks and landings out."""
