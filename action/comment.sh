#!/usr/bin/env bash
# Writes the report into a comment on the pull request. There is one comment for each cluster;
# later runs update it. Comments of others are never changed.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

number=$(jq -r '.pull_request.number // empty' "$GITHUB_EVENT_PATH")
if [ -z "$number" ]; then
  echo "the run is not for a pull request, so that there is no comment"
  exit 0
fi
if [ -z "$MARKDOWN" ]; then
  echo "check wrote no report, so that the comment stays as it is"
  exit 0
fi
commit=$(jq -r .pull_request.head.sha "$GITHUB_EVENT_PATH")
work=$(mktemp -d "$RUNNER_TEMP/comment.XXXXXX")
marker=$(jq -r '"<!-- kubectl-noderole " + (.cluster.arn | gsub("[^A-Za-z0-9:/_.-]"; "_")) + " -->"' "$JSON")
jq -n --rawfile report "$MARKDOWN" --arg marker "$marker" --arg commit "$commit" \
  '{body: ($marker + "\n" + $report + "\nfor " + $commit + "\n")}' >"$work/body.json"

# The comment that an earlier run wrote with this token.
query='query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { comments(first: 100, after: $after) {
    nodes { databaseId body viewerDidAuthor } pageInfo { hasNextPage endCursor }
  } } }
}'
comment="" after=null
while [ -z "$comment" ]; do
  jq -n --arg query "$query" --arg owner "${GITHUB_REPOSITORY%%/*}" --arg name "${GITHUB_REPOSITORY#*/}" --argjson number "$number" --argjson after "$after" \
    '{query: $query, variables: {owner: $owner, name: $name, number: $number, after: $after}}' >"$work/query.json"
  page=$(github POST "$GITHUB_GRAPHQL_URL" "$work/query.json")
  page=$(jq -ce 'if .errors then error else .data.repository.pullRequest.comments end' <<<"$page") || fail "the comments of the pull request could not be listed"
  comment=$(jq -r --arg marker "$marker" '[.nodes[] | select(.viewerDidAuthor and (.body | startswith($marker)))][0].databaseId // empty' <<<"$page")
  [ "$(jq .pageInfo.hasNextPage <<<"$page")" = true ] || break
  after=$(jq -c .pageInfo.endCursor <<<"$page")
done

issues=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/issues
if [ -n "$comment" ]; then
  github PATCH "$issues/comments/$comment" "$work/body.json" >"$work/answer.json"
else
  github POST "$issues/$number/comments" "$work/body.json" >"$work/answer.json"
fi
jq -r '"the report is at " + .html_url' "$work/answer.json"
