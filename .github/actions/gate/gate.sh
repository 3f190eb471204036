#!/usr/bin/env bash
# Script of the action. Inputs are environment variables, not parts of the script, so that they are never executed.
set -uo pipefail
outputs="${GITHUB_OUTPUT:-/dev/null}"
# Split text into words as a shell does (quotes, several lines), without expanding or executing anything.
split_words() {
  FAIRFER_WORDS="$1" python3 -c 'import os, shlex, sys; [sys.stdout.write(w + "\0") for w in shlex.split(os.environ["FAIRFER_WORDS"])]' >"$2"
}
exit_with_error() { echo "outcome=error" >>"$outputs"; exit 2; }
words=$(mktemp)
trap 'rm -f "$words"' EXIT
if [ -n "${FAIRFER_INSTALL:-}" ]; then
  split_words "$FAIRFER_INSTALL" "$words" || exit_with_error
  mapfile -d '' -t requirements <"$words"
  python3 -m pip install --quiet "${requirements[@]}" || exit_with_error
fi
if [ -n "${FAIRFER_ARGUMENTS:-}" ]; then
  split_words "$FAIRFER_ARGUMENTS" "$words" || exit_with_error
  mapfile -d '' -t arguments <"$words"
  fairfer audit "${arguments[@]}" --out "$FAIRFER_RUN" || exit_with_error
fi
comment="${RUNNER_TEMP:-/tmp}/fairfer-comment.md"
arguments=("$FAIRFER_RUN" --markdown "$comment" --junit "${RUNNER_TEMP:-/tmp}/fairfer-junit.xml")
[ -n "${FAIRFER_POLICY:-}" ] && arguments+=(--policy "$FAIRFER_POLICY")
[ -n "${FAIRFER_BASELINE:-}" ] && arguments+=(--baseline "$FAIRFER_BASELINE")
[ -n "${FAIRFER_LOOKS:-}" ] && arguments+=(--looks "$FAIRFER_LOOKS")
[ "${FAIRFER_ALLOW:-false}" = "true" ] && arguments+=(--allow-inconclusive)
rm -f "$comment"
fairfer gate "${arguments[@]}"
code=$?
# fairfer writes the outcome of a verdict to the outputs. Without a verdict there is no comment.
[ -f "$comment" ] || exit_with_error
echo "comment=$comment" >>"$outputs"
exit "$code"
