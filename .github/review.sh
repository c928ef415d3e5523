#!/usr/bin/env bash
# The review of a pull request as one Markdown comment on standard output.
#
#   .github/review.sh BASE     BASE is the revision that the pull request would be merged into
#
# Exits 1 where `dust diff` or `dust validate` says no, 2 where one of them could not run.
set -uo pipefail

limit=60000 # characters that a comment may have, less some for what is added below
worst=0

indented() { # four spaces make a code block that no quoted text can end
    printf '\n'
    sed 's/^/    /'
    printf '\n'
}

section() { # TITLE COMMAND...: what a command prints, as it is, or why it could not run
    local title=$1 output errors code=0
    shift
    errors=$(mktemp)
    output=$("$@" 2>"$errors") || code=$?
    if [ "$code" -gt "$worst" ]; then worst=$code; fi
    printf '%s\n' "$output"
    if [ "$code" -gt 1 ]; then
        printf '\n### %s could not be done\n' "$title"
        indented <"$errors"
    fi
    rm -f "$errors"
}

findings() {
    local output code=0
    output=$(dust validate --format text) || code=$?
    if [ "$code" -eq 0 ]; then
        printf '\n### Validation\n\nNo rule finds an error.\n'
    else
        printf '\n### Validation\n'
        printf '%s' "$output" | indented
    fi
    return "$code"
}

report=$(mktemp)
trap 'rm -f "$report"' EXIT
{
    section "The comparison" dust diff "$1" HEAD
    section "The validation" findings
    section "The plan" dust plan --format markdown
} >"$report"

printf '<!-- dust review -->\n'
head -c "$limit" "$report" | iconv -f utf-8 -t utf-8 -c
if [ "$(wc -c <"$report")" -gt "$limit" ]; then
    printf '\n\nThe rest is cut off: run `dust diff %s` in a clone.\n' "$1"
fi
exit "$worst"
