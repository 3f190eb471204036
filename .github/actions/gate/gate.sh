#!/usr/bin/env bash
# What the action runs. Inputs come as environment variables, never as text of a script, so that none of them is executed.
set -uo pipefail
out="${GITHUB_OUTPUT:-/dev/null}"
# Words as a shell would read them, over several lines too, quotes and all, but nothing is expanded or run.
words() {
  FAIRFER_WORDS="$1" python3 -c 'import os, shlex, sys; [sys.stdout.write(w + "\0") for w in shlex.split(os.environ["FAIRFER_WORDS"])]' >"$2"
}
failed() { echo "outcome=error" >>"$out"; exit 2; }
list=$(mktemp)
trap 'rm -f "$list"' EXIT
if [ -n "${FAIRFER_INSTALL:-}" ]; then
  words "$FAIRFER_INSTALL" "$list" || failed
  mapfile -d '' -t wanted <"$list"
  python3 -m pip install --quiet "${wanted[@]}" || failed
fi
if [ -n "${FAIRFER_ARGUMENTS:-}" ]; then
  words "$FAIRFER_ARGUMENTS" "$list" || failed
  mapfile -d '' -t arguments <"$list"
  fairfer audit "${arguments[@]}" --out "$FAIRFER_RUN" || failed
fi
comment="${RUNNER_TEMP:-/tmp}/fairfer-comment.md"
arguments=("$FAIRFER_RUN" --markdown "$comment" --junit "${RUNNER_TEMP:-/tmp}/fairfer-junit.xml")
[ -n "${FAIRFER_POLICY:-}" ] && arguments+=(--policy "$FAIRFER_POLICY")
[ -n "${FAIRFER_BASELINE:-}" ] && arguments+=(--baseline "$FAIRFER_BASELINE")
[ "${FAIRFER_ALLOW:-false}" = "true" ] && arguments+=(--allow-inconclusive)
rm -f "$comment"
fairfer gate "${arguments[@]}"
code=$?
# The gate itself writes the outcome of a verdict; here is only what happened without one.
if [ ! -f "$comment" ]; then failed; fi
echo "comment=$comment" >>"$out"
exit "$code"
