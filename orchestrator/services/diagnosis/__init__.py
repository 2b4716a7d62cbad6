"""What ``doctor`` looks at, one purpose a file; each examines, and says how its finding may be cured."""
