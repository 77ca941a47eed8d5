"""Pages of what runs found, from their files alone. No torch: they read parquet.

page      a report as a whole              chapter   a claim: answers and arms, in tables and plots
entries   runs, as their folders were      sweeps    a study without a claim, in groups
origin    code, machines and time          folders   two folders side by side: their differences
document  what is said                     html, markdown, exports, readme   and how it is set
"""
