#!/bin/sh
# Holds the recipes of docs/ci.md against the schemas of the services they are for. The checker is installed into a
# scratch folder.
set -eu
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -r "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet --disable-pip-version-check check-jsonschema==0.39.0

# recipe FILE SCHEMA: the YAML block of the page whose first line names the file.
recipe() {
    awk -v first="# $1" '/^```/ { inside = 0 } inside { print } $0 == first { inside = 1 }' docs/ci.md > "$scratch/recipe.yaml"
    test -s "$scratch/recipe.yaml"
    "$scratch/venv/bin/check-jsonschema" --builtin-schema "$2" "$scratch/recipe.yaml" > /dev/null
}
recipe .github/workflows/pipeline.yml vendor.github-workflows
recipe cloudbuild.yaml vendor.cloudbuild
