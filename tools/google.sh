#!/bin/sh
# Google's own published definitions of its services, which the stand-in of the tests holds requests against.
#
#   tools/google.sh        fetches what is missing (27 MB, of which 4 MB are kept) and prints the folder
#
# They come with Google's client for Python, and the numbers of their enums with Google's types for Python. The folder lies
# outside the clone, and every clone on the machine shares it.
set -eu

version=2.202.0
wheels="google-api-python-client==$version
    --hash=sha256:aaa90064c9bb642ff1d065b22ca8958a2cb6e345909cefe70d0e5452fc50e08b
google-cloud-run==0.16.2
    --hash=sha256:cf21a6ee67fb237f694b444862fb0a717f0e0dfeabfdb64b927c7d1303f18957
google-cloud-aiplatform==2.7.0
    --hash=sha256:156ede4a6c304119195dbdaedaba8c33872f6d80b6525482dccb95f76405bd31
googleapis-common-protos==1.76.0
    --hash=sha256:59e13344a9f3651aa201a03e2bee815a3bf43a4baf1f9ff8a9b62a840ce25fac"
documents="storage.v1 run.v2 aiplatform.v1 secretmanager.v1"

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/pipe
root=$cache/google-$version-numbered
if [ -f "$root/complete" ]; then echo "$root"; exit 0; fi

say() { echo "google: $*" >&2; }

# Two clones that start at once fetch once: the second waits and finds the result.
mkdir -p "$cache"
exec 9> "$root.lock"
flock 9
if [ -f "$root/complete" ]; then echo "$root"; exit 0; fi

say "fetching the definitions of Google's services from PyPI (27 MB, once on this machine)"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
echo "$wheels" | sed 's/==.*/& \\/' > "$work/wanted"
"$work/venv/bin/pip" download --quiet --disable-pip-version-check --no-deps --require-hashes \
    --requirement "$work/wanted" --dest "$work"
mkdir -p "$root"
for document in $documents; do
    python3 - "$work"/google_api_python_client-*.whl "googleapiclient/discovery_cache/documents/$document.json" > "$root/$document.json" <<'PYTHON'
import sys, zipfile
sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read(sys.argv[2]))
PYTHON
done
numbers() { # DOCUMENT, PREFIX OF ITS SCHEMAS, FOLDER OF TYPES
    python3 "$here/google_numbers.py" "$root/$1.json" "$2" "$3" "$work"/google*.whl > "$root/$1.numbers.json"
}
numbers run.v2 GoogleCloudRunV2 google/cloud/run_v2/types
numbers aiplatform.v1 GoogleCloudAiplatformV1 google/cloud/aiplatform_v1/types
touch "$root/complete"
echo "$root"
