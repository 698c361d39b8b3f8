#!/usr/bin/env bash
# Uploads the report to code scanning and waits until GitHub has read it. Source:
# https://docs.github.com/en/rest/code-scanning/code-scanning#upload-an-analysis-as-sarif-data
set -euo pipefail
. "$(dirname "$0")/lib.sh"

if [ -z "$SARIF" ]; then
  echo "check wrote no report, so that there is nothing to upload"
  exit 0
fi
work=$(mktemp -d "$RUNNER_TEMP/upload.XXXXXX")
gzip -c "$SARIF" | base64 | tr -d '\n' >"$work/sarif"
jq -n --rawfile sarif "$work/sarif" --arg commit "$GITHUB_SHA" --arg ref "$GITHUB_REF" \
  '{commit_sha: $commit, ref: $ref, sarif: $sarif}' >"$work/body.json"
uploads=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/code-scanning/sarifs
id=$(github POST "$uploads" "$work/body.json" | jq -r .id)

for _ in {1..30}; do
  state=$(github GET "$uploads/$id")
  case $(jq -r .processing_status <<<"$state") in
    complete)
      echo "code scanning has the report"
      exit 0
      ;;
    failed) fail "code scanning refused the report: $(jq -r '.errors // [] | join("; ") | gsub("[\r\n]"; " ")' <<<"$state")" ;;
  esac
  sleep 2
done
fail "code scanning did not read the report within a minute"
