"""The pool of worktrees as the store knows it: who has which slot, and what becomes of it."""
