#!/usr/bin/env bash
# The review of a pull request as one Markdown comment on standard output.
#
#   cd HEAD && BASE/.github/review.sh REVISION
#
# REVISION is what the pull request would be merged into. Both this script and `dust` come from a
# checkout of the base: HEAD, the current folder, is only read. Nothing in it is run or imported.
#
# Exits 1 where the review says no, 2 where a part of it could not be done.
set -uo pipefail

export PYTHONSAFEPATH=1 # a module in the current folder is no module of Python's
unset PYTHONPATH
limit=60000 # characters that a comment may have, less some for what is added below

report=$(mktemp)
trap 'rm -f "$report"' EXIT
code=0
dust review "$1" >"$report" || code=$?

printf '<!-- dust review -->\n'
head -c "$limit" "$report" | iconv -f utf-8 -t utf-8 -c
if [ "$(wc -c <"$report")" -gt "$limit" ]; then
    printf '\n\nThe rest is cut off: run `dust review %s` in a clone.\n' "$1"
fi
exit "$code"
