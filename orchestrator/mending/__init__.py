"""Conflicts are handed to a resolver, in the plan's worktree, and what it makes of them is queued again."""
