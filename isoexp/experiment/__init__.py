"""An experiment: from words on the command line to a finished run folder.

composition  words → configuration           construction  configuration → objects
settings     the root keys, checked          bench         all objects of one run
trial        training, records, probes       execution     which runs are to do, and doing them
"""
