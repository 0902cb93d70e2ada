#!/bin/sh
# What editors make of specs/: the language servers behind their TOML and YAML support, installed into a scratch folder.
set -eu
cd "$(dirname "$0")/.."
if ! command -v npm > /dev/null; then
    echo "npm is missing: install Node.js 18 or newer, with npm, and run this again" >&2
    exit 1
fi
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
npm install --prefix "$scratch" --no-audit --no-fund --silent @taplo/lsp@0.8.0 yaml-language-server@2.0.0
node tools/editors.mjs "$scratch/node_modules" specs/*.toml specs/*.yaml
