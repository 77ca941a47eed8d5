"""An experiment: one run, or many networks trained as one, from a configuration to its folder.

job      what is asked for, and what of it is left    lab       its objects, and a training of them
dataset  the splits that seeds train on               columns   of tables: isoexp's own, a probe's
batching which networks can be trained as one         train     the training, recorded as it goes
record   what is written down of one network          run       doing the runs of jobs, once
probing  probes put to trained networks               untrained what runs that begin alike share
audit    the measured symmetry of functional forms
"""
