"""Pages of results, from the files of runs alone. No torch: they read parquet.

page      a report as a whole              chapter   a claim: answers and arms, in tables and plots
entries   runs, as their folders were      sweeps    a study without a claim, in groups
contrasts means of groups, by seed         tuning    of the arms of a claim, and its curves
origin    code, machines and time          folders   two folders side by side; sides: their runs
methods   of claims, in prose; recipe: of their networks
sentence  what was found, in plain words    units      numbers as they are shown
drawings  the figures of claims             forest     a claim in many cells
plans     other plans of a claim, and its confirmations
document  the content of a report          html, markdown, exports, readme   its forms
"""
