#!/bin/sh
# Writes a one-page card of a trained model. A stage's program finds its inputs and its output by variables.
set -eu

metrics=$PIPE_INPUT_MODEL/metrics.jsonl
last=$(tail -n 1 "$metrics")
field() { printf '%s' "$last" | sed -n "s/.*\"$1\":\([0-9.eE+-]*\).*/\1/p"; }

{
    echo "# Model card ($1)"
    echo
    echo "- epochs: $(wc -l < "$metrics")"
    echo "- training records: $(wc -l < "$PIPE_INPUT_DATASET/train.jsonl")"
    echo "- held-out records: $(wc -l < "$PIPE_INPUT_DATASET/validation.jsonl")"
    echo "- held-out plays answered right: $(field validation_group_accuracy)"
    echo "- loss on held-out clips: $(field validation_loss)"
} > "$PIPE_OUTPUT/model-card.md"
cat "$PIPE_OUTPUT/model-card.md"               # whatever is printed stands in `pipe logs SPEC card`
