"""Plans: files, patterns, overlap and graph. Pure: no git, no clock, no database, no process."""
