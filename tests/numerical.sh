#!/bin/sh
# What computes, as other CPUs would: with other vector instructions, and other sums of products.
#   numerical.sh            this commit's quarter, under the capability below this machine's
#   numerical.sh default    all, under one that is named: avx2, or default, which needs none
set -eu

cd "$(dirname "$0")/.."
capability=${1-$(python -c '
import torch
below = {"AVX512": "avx2", "AVX2": "default"}
print(below.get(torch.backends.cpu.get_cpu_capability(), ""))')}
test -n "$capability" || { echo "skipped: this machine has one vector capability"; exit 0; }

# MKL's matrix products and decompositions follow a switch of their own.
case $capability in avx2) products=AVX2 ;; *) products=COMPATIBLE ;; esac

files=$(find tests/activations tests/dropout tests/inits tests/models tests/norms tests/optimizers \
    tests/probes tests/regularizers tests/symmetry tests/test_geometry.py tests/test_noise.py \
    tests/test_stochastic.py tests/test_ensemble*.py tests/test_training.py -name 'test_*.py' | sort)
test $# -gt 0 || files=$(echo "$files" | awk "NR % 4 == ${QUARTER:=0}")

echo "the numerical tests under $capability"
ATEN_CPU_CAPABILITY=$capability MKL_CBWR=$products python -m pytest -n auto --dist worksteal \
    -m "not slow" $files
