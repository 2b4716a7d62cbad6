"""A store that was lost or set aside is rebuilt from what git, journals and processes tell."""
