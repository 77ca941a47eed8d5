"""An experiment: from words on the command line to a finished run folder.

words        each word by itself             composition   words → configuration
sweeping     how values make jobs            template      a configuration to be filled in
construction configuration → objects         bench         all objects of one run
settings     the root keys, checked          validation    what is wrong with any job of a sweep
trial        training, records, probes       execution     which runs are to do, and doing them
"""
