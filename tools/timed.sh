#!/bin/sh
# timed.sh WHAT COMMAND...   runs a command and says how long it took
what=$1
shift
echo "$what ..." >&2
from=$(date +%s)
"$@"
code=$?
if [ $code = 0 ]; then word=done; else word="FAILED ($code)"; fi
printf '%-60s %s in %d s\n' "$what" "$word" "$(( $(date +%s) - from ))" >&2
exit $code
