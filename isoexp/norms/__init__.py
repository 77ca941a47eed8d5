"""Normalisers, built as norm(width) and acting along the last axis.

conf/norm names those that exist; each file says whether it commutes with rotations. PyTorch's own
layers are used as they are.
"""
