"""What a run leaves in its folder, and how it is found again.

run         the folder, and how far it is    lock         one process at a time
study       many of them                     files        written whole or not at all
tables      parquet, and one table of many   history      a line for each start
identity    the hash that names a run        provenance   code, versions, machine
checkpoint  weights and optimizers           tracking     the mirror on W&B

All but checkpoint is free of torch.
"""
