"""Git only: worktrees, pointers, merges in memory, references."""
