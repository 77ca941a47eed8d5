#!/bin/sh
# As a user would, in an empty folder: a real run, a small sweep, what they left, and a second call.
set -eu

here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"

set -x
isoexp --version
isoexp train activation=iso_tanh model=mlp
isoexp train -m experiment=smoke activation=tanh,iso_tanh seed=0,1
isoexp train experiment=smoke seeds=4 logger=wandb
isoexp ls
isoexp train activation=iso_tanh model=mlp | grep 'done before'
isoexp show runs/main/*
python -c "import isoexp; print(isoexp.read('runs').groupby(['study', 'activation'])['valid/accuracy'].max())"
