"""Agreement: whether two networks trained apart embed the same things alike, up to a map."""

from .agreement import Agreement as Agreement
