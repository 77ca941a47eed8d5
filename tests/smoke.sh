#!/bin/sh
# As a user would, in an empty folder: a real run, a small sweep, what they left, and a second call.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
claims=$(ls "$root/conf/claim" | sed -n 's/\.yaml$//p' | awk "NR % 4 == ${QUARTER:=0}" | xargs)
echo "of the claims, those of quarter $QUARTER: $claims"

here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
cd "$here"

set -x
isoexp --version
isoexp train activation=iso_tanh model=mlp
isoexp train -m experiment=smoke activation=tanh,iso_tanh seed=0,1
isoexp train experiment=smoke seeds=4 logger=wandb figures=false
isoexp train model=cnn norm=iso_batch init=orthogonal dropout=isotropic optimizer=muon seeds=2 steps=30 probe=[equivariance] probe.equivariance.draws=2
isoexp train model=transformer model.attention=iso_tanh data=text steps=30 regularizer=l2 probe=none
isoexp audit activation=tanh,iso_tanh optimizer=adam,muon
isoexp train activation=tanh snapshots=3 steps=200 probe=[spectrum] name=probed
isoexp probe runs/probed probe=all
isoexp reproduce $claims --smoke
isoexp reproduce ${claims%% *} --smoke | awk '/ done before/ { n++; left += $3 != $5 } END { exit left || !n }'
isoexp report runs
test -s runs/report/index.html
isoexp ls > ls.txt
isoexp train activation=iso_tanh model=mlp | grep 'done before'
isoexp show runs/main/*model-mlp*
python -c "import isoexp; print(isoexp.read('runs').groupby(['study', 'activation'])['valid/accuracy'].max())"
