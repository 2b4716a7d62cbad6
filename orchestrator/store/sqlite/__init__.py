"""The store on SQLite through the standard library. Only ``orchestrator.bootstrap`` names it."""
