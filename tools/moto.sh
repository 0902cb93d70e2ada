#!/bin/sh
# S3 as moto speaks it, a server that none of ours is made for: the suite that every store must pass, and a run whose videos and
# results both lie in its buckets. The clips are those of a run in folders, byte for byte.
#
# moto comes from PyPI (60 MB) into the cache folder.
set -eu
cd "$(dirname "$0")/.."
cache="${XDG_CACHE_HOME:-$HOME/.cache}/pipe"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$cache/target}"
version=5.2.1
venv="$cache/moto-$version"
if [ ! -f "$venv/complete" ]; then
    echo "moto: installing moto $version from PyPI (60 MB)" >&2
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check "moto[server,s3]==$version"
    touch "$venv/complete"
fi
cargo build --quiet --release -p pipe -p pipe-testdata
bin="$CARGO_TARGET_DIR/release"
scratch=$(mktemp -d)
server=
trap 'kill "$server" 2> /dev/null || true; rm -rf "$scratch"' EXIT

export AWS_ACCESS_KEY_ID=somebody AWS_SECRET_ACCESS_KEY=a-secret AWS_REGION=us-east-1
unset AWS_SESSION_TOKEN
port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
export AWS_ENDPOINT_URL="http://127.0.0.1:$port"
# It looks whether an object is there and then writes it, so of two who create at once both would win. One at a time.
"$venv/bin/python" - "$port" > "$scratch/server" 2>&1 <<'PYTHON' &
import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple("127.0.0.1", int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
PYTHON
server=$!
"$bin/make-testdata" --out "$scratch/data" > /dev/null
"$venv/bin/python" - "$scratch/data/videos" <<'PYTHON'
import sys, time
from pathlib import Path
import boto3
s3 = boto3.client("s3")
for _ in range(150):
    try:
        s3.create_bucket(Bucket="films")
        break
    except Exception as error:
        time.sleep(0.2)
else:
    sys.exit(f"moto does not answer: {error}")
s3.create_bucket(Bucket="results")
for video in Path(sys.argv[1]).glob("g1/*.mp4"):
    s3.upload_file(str(video), "films", f"g1/{video.name}")
PYTHON

PIPE_TEST_STORE=s3://results/suite cargo nextest run -p pipe-stores --cargo-quiet --status-level none --final-status-level none \
    -E 'test(=wire::a_store_that_is_given_does_it)'

spec() { # ROOT OF THE STORE, WHERE VIDEOS LIE
    cat <<SPEC
version = 1
name = "elsewhere"
[store]
root = "$1"
[stages.plays]
kind = "export"
source = { type = "sqlite", path = "../data/plays.db" }
query = "select id, label, start_ms, end_ms from plays where game_id = 'g1' order by start_ms limit 6"
[stages.clips]
kind = "extract-clips"
matrix.angle = ["FAR_LEFT", "NEAR_RIGHT"]
plays = "plays"
video = "$2/g1/{{ angle }}.mp4"
SPEC
}
mkdir "$scratch/here" "$scratch/there"
spec ./out ../data/videos > "$scratch/here/spec.toml"
spec s3://results/run s3://films > "$scratch/there/spec.toml"
digests() { # what became of each task, as the run tells it
    "$bin/pipe" run "$scratch/$1/spec.toml" --json 2> "$scratch/$1/said" | tee "$scratch/$1/events" |
        sed -n 's/.*"type":"task_succeeded".*/&/p' | grep -o '"task":"[^"]*"\|"digest":"[^"]*"' | paste - - | sort
    grep -q '"type":"run_finished"' "$scratch/$1/events" || { cat "$scratch/$1/said" >&2; return 1; }
}
digests here > "$scratch/here/digests"
digests there > "$scratch/there/digests"
test "$(wc -l < "$scratch/here/digests")" = 3
diff "$scratch/here/digests" "$scratch/there/digests"
# Who has another disk finds all of it in the bucket.
rm -rf "$scratch/there/.pipe"
"$bin/pipe" run "$scratch/there/spec.toml" > "$scratch/again" 2>&1 || { cat "$scratch/again" >&2; exit 1; }
grep -q 'nothing to do' "$scratch/again" || { cat "$scratch/again" >&2; exit 1; }
echo "the suite holds, and clips out of and into moto's S3 are those of folders:"
cat "$scratch/there/digests"
