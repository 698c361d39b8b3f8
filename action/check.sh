#!/usr/bin/env bash
# Runs check, writes the job summary and the annotations, and keeps the exit code for the
# last step.
set -euo pipefail
. "$(dirname "$0")/lib.sh"

args=()
if [[ $ARGS =~ [^[:space:]] ]]; then
  # xargs splits like a shell, without expanding anything.
  words=$(xargs printf '%s\n' <<<"$ARGS") || fail "args has a quote that does not end"
  while IFS= read -r word; do args+=("$word"); done <<<"$words"
fi

out=$(mktemp -d "$RUNNER_TEMP/noderole.XXXXXX")
# A name in the report may look like a workflow command. Between these two lines the runner
# reads none.
stop=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
printf '::stop-commands::%s\n' "$stop"
code=0
kubectl-noderole check ${args[@]+"${args[@]}"} --report "sarif=$out/noderole.sarif" --report "markdown=$out/noderole.md" \
  --report "json=$out/noderole.json" --report "github=$out/annotations" 2>&1 || code=$?
printf '::%s::\n' "$stop"

printf 'exit-code=%s\n' "$code" >>"$GITHUB_OUTPUT"
for file in sarif=noderole.sarif markdown=noderole.md json=noderole.json; do
  [ ! -s "$out/${file#*=}" ] || printf '%s=%s\n' "${file%%=*}" "$out/${file#*=}" >>"$GITHUB_OUTPUT"
done
if [ -s "$out/noderole.md" ]; then
  cat "$out/noderole.md" >>"$GITHUB_STEP_SUMMARY"
else
  printf '### kubectl noderole: no report\n\n`check` exited with %s before it wrote one. The log of the job says why.\n' "$code" >>"$GITHUB_STEP_SUMMARY"
fi
if [ "$ANNOTATIONS" = true ] && [ -s "$out/annotations" ]; then
  cat "$out/annotations"
fi
case $code in
  0 | 1) ;; # the annotations name the findings
  *) printf '::error title=kubectl noderole::check exited with %s: %s\n' "$code" "$(if [ "$code" = 3 ]; then echo 'facts could not be read, or not in full'; else echo 'see the log'; fi)" ;;
esac
