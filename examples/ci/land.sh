#!/bin/sh
# Lands every branch plan/* of a remote on its main, and pushes what has landed.
#
#     land.sh [REMOTE [TARGET]]
#
# For a fresh clone that has TARGET checked out. Exit status 0 when all of it landed, 1 when some did not: those
# branches stay as they are, and what landed is pushed all the same. Safe to run beside others who do the same: the
# push is refused when the remote's target has moved, and the next run does it again.
set -eu
remote=${1:-origin}
target=${2:-main}

git fetch --quiet "$remote" '+refs/heads/plan/*:refs/heads/plan/*'
code=0
planctl merge --branches 'plan/*' --junit planctl.xml || code=$?
git push --quiet "$remote" "$target"
exit $code
