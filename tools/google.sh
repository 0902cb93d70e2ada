#!/bin/sh
# Google's own published definitions of its services, which the stand-in of the tests holds requests against.
#
#   tools/google.sh        fetches what is missing (17 MB, of which 4 MB are kept) and prints the folder
#
# They come with Google's client for Python. The folder lies outside the clone, and every clone on the machine shares it.
set -eu

version=2.202.0
sha256=aaa90064c9bb642ff1d065b22ca8958a2cb6e345909cefe70d0e5452fc50e08b
documents="storage.v1 run.v2 aiplatform.v1 secretmanager.v1"

cache=${XDG_CACHE_HOME:-$HOME/.cache}/pipe
root=$cache/google-$version
if [ -f "$root/complete" ]; then echo "$root"; exit 0; fi

say() { echo "google: $*" >&2; }

# Two clones that start at once fetch once: the second waits and finds the result.
mkdir -p "$cache"
exec 9> "$root.lock"
flock 9
if [ -f "$root/complete" ]; then echo "$root"; exit 0; fi

say "fetching the definitions of Google's services from PyPI (17 MB, once on this machine)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
echo "google-api-python-client==$version --hash=sha256:$sha256" > "$work/wanted"
"$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement "$work/wanted" --dest "$work"
mkdir -p "$root"
for document in $documents; do
    python3 - "$work"/*.whl "googleapiclient/discovery_cache/documents/$document.json" > "$root/$document.json" <<'PYTHON'
import sys, zipfile
sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))
PYTHON
done
touch "$root/complete"
echo "$root"
