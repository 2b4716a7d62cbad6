"""From finished work to an entry of the merge queue: the landing key, what has landed, submission."""
