#!/usr/bin/env bash
# Posts a report as a comment on a pull request, or updates the comment that is there.
#
#   comment.sh REPORT.md
#
# Needs GitHub's command `gh` with a token in GH_TOKEN that may write to pull requests, REPOSITORY,
# PULL_REQUEST, HEAD_REPOSITORY (the fork, where the pull request is of one) and EVENT.
set -euo pipefail

# GitHub gives workflows of forks a token that may only read, except under pull_request_target.
if [ "$EVENT" = pull_request ] && [ "$HEAD_REPOSITORY" != "$REPOSITORY" ]; then
    echo "::notice::The pull request is from a fork, where a workflow may not comment. The summary of this run has the review."
    exit 0
fi

body=$(mktemp)
trap 'rm -f "$body"' EXIT
# A comment has at most 65,536 characters.
head -c 65000 "$1" | iconv -f utf-8 -t utf-8 -c >"$body"

comments="repos/$REPOSITORY/issues/$PULL_REQUEST/comments"
# Anybody may write a comment that begins so. Only the workflow's own is updated.
mine='.[] | select(.user.login == "github-actions[bot]" and
                   (.body | startswith("<!-- dust review -->"))) | .id'
id=$(gh api --paginate "$comments" --jq "$mine" | sed -n 1p)
if [ -n "$id" ]; then
    gh api --silent --method PATCH "repos/$REPOSITORY/issues/comments/$id" -F body=@"$body"
else
    gh api --silent --method POST "$comments" -F body=@"$body"
fi
