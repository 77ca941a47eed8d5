"""The configuration: from the overrides of a command line to a plain dictionary, and to objects.

groups     the one table of what can be chosen       overrides  one word of a command line
compose    overrides → configurations                axes       how a sweep combines values
document   a configuration: read, written, walked    settings   the root keys, checked
fields     values against annotations                build      a configuration → objects
"""
