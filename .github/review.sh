#!/usr/bin/env bash
# The review of a pull request as one Markdown comment on standard output.
#
#   cd HEAD && BASE/.github/review.sh REVISION
#
# REVISION is what the pull request would be merged into. Both this script and `dust` come from a
# checkout of the base: HEAD, the current folder, is only read. Nothing in it is run or imported.
#
# Exits 1 where `dust diff`, `dust verdicts` or `dust validate` says no, or where a generated file
# differs from what the specs give; 2 where one of them could not run.
set -uo pipefail

export PYTHONSAFEPATH=1 # a module in the current folder is no module of Python's
unset PYTHONPATH
limit=60000 # characters that a comment may have, less some for what is added below
worst=0
base=$1
models=(
    packages/dust-core/src/dust_core/declared/specs
    packages/dust-core/src/dust_core/declared/records
    packages/dust-core/src/dust_core/declared/reference
    packages/dust-core/src/dust_core/declared/pipeline
)

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
    printf '%s\n\n' "$output"
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
        printf '### Validation\n\nNo rule finds an error.\n'
    else
        printf '### Validation\n'
        printf '%s' "$output" | indented
    fi
    return "$code"
}

generated() { # the files that are generated from specs and models, by the base's models
    local output code=0
    output=$(
        for check in "pipeline --check" "spec schema --check" "spec docs --check"; do
            # shellcheck disable=SC2086
            dust $check 2>&1 || echo "exit code $? of: dust $check"
        done
    )
    if ! grep -q '^exit code' <<<"$output"; then
        printf '### Generated files\n\nPipelines, schemas and reference match the specs.\n'
        return 0
    fi
    printf '### Generated files\n\n'
    code=1
    if ! git diff --quiet "$(git merge-base "$base" HEAD)" HEAD -- "${models[@]}"; then
        printf 'The pull request changes the models, so the models of the base cannot tell whether '
        printf 'the files below are right. `nox -s specs` in the checkout of the pull request can.\n'
        code=0
    fi
    printf '%s' "$output" | indented
    return "$code"
}

report=$(mktemp)
trap 'rm -f "$report"' EXIT
{
    section "The comparison" dust diff "$base" HEAD
    section "The verdicts" dust verdicts "$base" HEAD
    section "The validation" findings
    section "The generated files" generated
    section "The plan" dust plan --format markdown
} >"$report"

printf '<!-- dust review -->\n'
head -c "$limit" "$report" | iconv -f utf-8 -t utf-8 -c
if [ "$(wc -c <"$report")" -gt "$limit" ]; then
    printf '\n\nThe rest is cut off: run `dust diff %s` in a clone.\n' "$base"
fi
exit "$worst"
