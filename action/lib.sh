# What the action's scripts share.
# shellcheck shell=bash

# fail ends the step with an annotation, on standard error, as standard output may be captured.
fail() {
  printf '::error title=kubectl noderole::%s\n' "$1" >&2
  exit 1
}

# github calls GitHub's API and prints the answer: github METHOD URL [FILE], with the JSON of
# FILE as the body. The token is not an argument of curl, so that no other process sees it.
github() {
  local answer status body=()
  [ $# -lt 3 ] || body=(--data-binary "@$3")
  answer=$(mktemp "$RUNNER_TEMP/answer.XXXXXX")
  status=$(curl --silent --show-error --max-time 60 --request "$1" --output "$answer" --write-out '%{http_code}' \
    --header 'Accept: application/vnd.github+json' --header 'X-GitHub-Api-Version: 2022-11-28' --header 'Content-Type: application/json' \
    --config <(printf 'header = "Authorization: Bearer %s"\n' "$TOKEN") ${body[@]+"${body[@]}"} "$2") ||
    fail "$1 $2 failed"
  case $status in
    2*) cat "$answer" ;;
    *) fail "$1 $2 answered $status: $(jq -r '.message? // "no message" | tostring | gsub("[\r\n]"; " ")' "$answer" 2>/dev/null || echo 'no JSON')" ;;
  esac
  rm -f "$answer"
}
