"""The configuration: from the overrides of a command line to a plain dictionary, and to objects.

groups    the one table of what can be chosen   compose      overrides → configurations
overrides one override, parsed and checked      composition  one configuration, by Hydra or by copy
axes      how a sweep combines values           document     a configuration read, written, walked
settings  the root keys, checked                fields       values against annotations
build     a configuration → objects             targets      what a _target_ may name
allowed   packages that the user trusts
"""
