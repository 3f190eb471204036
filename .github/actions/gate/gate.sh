#!/usr/bin/env bash
# What the action runs. Inputs come as environment variables, never as text of a script, so that none of them is executed.
set -uo pipefail
out="${GITHUB_OUTPUT:-/dev/null}"
if [ -n "${FAIRFER_INSTALL:-}" ]; then
  # Several requirements may be given, with spaces between.
  read -ra wanted <<<"$FAIRFER_INSTALL"
  python3 -m pip install --quiet "${wanted[@]}" || { echo "outcome=error" >>"$out"; exit 2; }
fi
if [ -n "${FAIRFER_ARGUMENTS:-}" ]; then
  read -ra arguments <<<"$FAIRFER_ARGUMENTS"
  fairfer audit "${arguments[@]}" --out "$FAIRFER_RUN" || { echo "outcome=error" >>"$out"; exit 2; }
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
case $code in
  0 | 1 | 3) echo "comment=$comment" >>"$out" ;;
  *) echo "outcome=error" >>"$out" ;;
esac
exit "$code"
