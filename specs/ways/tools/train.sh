#!/bin/sh
# Stands for your training: `python3 train.py` and the like. What it has reached it keeps, an epoch a file, and when its machine is
# taken away the next attempt goes on from there.
set -eu
rate=$1

for epoch in 1 2 3; do
    reached=$PIPE_CHECKPOINTS/epoch-$epoch
    if [ -e "$reached" ]; then continue; fi
    echo "epoch $epoch at rate $rate, $(wc -l < "$PIPE_INPUT_PLAYS/plays.jsonl") plays"
    # It may be killed in the middle of a word, so it writes to another name first.
    echo "$epoch" > "$reached.new"
    mv "$reached.new" "$reached"
done
echo "$rate loss $(cat "$PIPE_CHECKPOINTS"/epoch-* | wc -l)" > "$PIPE_OUTPUT/model.txt"
