"""How a run is shown while it goes on: lines, a live table, or events as JSON."""
