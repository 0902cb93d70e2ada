#!/bin/sh
# The quickstart as jobs of Cloud Run and as custom jobs of Vertex AI, with no account: Google's services and the bucket are the
# stand-in of the tests, on loopback, which holds each request against Google's published definitions and runs jobs as processes.
#
#   tools/demo-cloud.sh BIN            BIN holds pipe and google-standin; sample games lie in testdata
#   tools/demo-cloud.sh BIN --small    two games from one angle, for the tests
#
# What is known of the runs stays in out/demo-cloud, and `pipe report` still tells of it; the bucket goes with the stand-in.
set -eu
cd "$(dirname "$0")/.."
bin=$1
pipe=$bin/pipe
at=out/demo-cloud
spec=$at/spec.toml
image=us-central1-docker.pkg.dev/films/pipe/worker

only=""
if [ "${2:-}" = --small ]; then only='games = ["g1", "g2"]
angles = ["FAR_LEFT"]'; fi

say() { printf '\n%s\n' "$*"; }
# What is started here ends with this script, and does not hold the leash.
show() { printf '\n$ pipe %s\n' "$*"; setpriv --pdeathsig KILL "$pipe" "$@" 9>&-; }
# What was shown is so: the command's JSON has these words.
holds() {
    words=$1; shift
    told=$("$pipe" "$@" --json 9>&-)
    case "$told" in
        *"$words"*) ;;
        *) echo "demo-cloud: pipe $* does not tell $words: $told" >&2; exit 1 ;;
    esac
}

rm -rf "$at"
mkdir -p "$at"

# The stand-in ends with its input, and only this script holds the other end. So it is gone when the script is, however that ends,
# and with it the jobs that it runs.
mkfifo "$at/leash"
"$bin/google-standin" --with-input --image "$image=$(cd "$bin" && pwd)/pipe" films/videos=testdata/videos \
    < "$at/leash" > "$at/services" &
standin=$!
exec 9> "$at/leash"
until [ -s "$at/services" ]; do
    kill -0 "$standin" 2> /dev/null || exit 1
    sleep 0.1
done
. "$at/services"
export STORAGE_EMULATOR_HOST

# With an account this would be specs/quickstart-cloud.toml as it is. Laid over it is where the stand-in is asked, and how often.
cat > "$spec" <<SPEC
version = 1
extends = "../../specs/quickstart-cloud.toml"
[params]
data = "$PWD/testdata"
$only
[backends.jobs]
endpoint = "$STORAGE_EMULATOR_HOST"
poll = "500ms"
parallel = 8
[backends.custom]
endpoint = "$STORAGE_EMULATOR_HOST"
poll = "500ms"
parallel = 8
SPEC

say "Google's services are at $STORAGE_EMULATOR_HOST, the sample videos in gs://films/videos."

# Plan, run, run again, and what is known of it then. $1: the profile, if any
whole_way() {
    show check "$spec" "$@"
    show plan "$spec" --cost "$@"
    show run "$spec" "$@"
    say "--- again: all of it is in the bucket"
    show run "$spec" "$@"
    holds '"succeeded": 0' status "$spec"
    say "--- what an attempt has printed, and where its job was"
    show logs "$spec" card
    show costs "$spec"
    say "--- no job is left"
    show doctor "$spec" --orphans "$@"
    holds '"jobs": []' doctor "$spec" --orphans "$@"
    # Each task with its key and the digest of what it made.
    "$pipe" status "$spec" latest~1 --json 9>&- | python3 -c '
import json, sys
tasks = json.load(sys.stdin)["run"]["tasks"]
for name in sorted(tasks): print(name, tasks[name]["fingerprint"], tasks[name]["digest"])' > "$PIPE_STATE/made"
}

say "=== Cloud Run: a job for each attempt"
export PIPE_STATE=$at/cloud-run
whole_way

say "=== Vertex AI: a custom job for each attempt, in a store of their own"
export PIPE_STATE=$at/vertex
whole_way --profile vertex

say "=== Both ways made the same"
cmp "$at/cloud-run/made" "$at/vertex/made"
say "$(wc -l < "$at/vertex/made") tasks, each with the same key and the same bytes."
say "What is known of the runs stays in $at: PIPE_STATE=$at/vertex pipe report $spec"
