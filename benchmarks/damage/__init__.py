"""Damage: every kind of file that the project reads, harmed some hundred times, and what reading it says.

`python -m benchmarks damage` prints a row a kind. Each try harms one file of a good folder (`harm`), reads
the folder as a user would (`kinds`) in a process with limits (`child`), and compares with what the good one
gave:

held    our error that names the file, or set aside and said, or right in spite of it and said
same    the very same result: what was hit has no meaning, or was made again
silent  another result, and not a word
raw     an exception that is none of ours, or the end of the process
slow    longer than a try may take
heavy   more than 2 GB on top

It ends with 1 where a try was raw, slow or heavy, or silent in a kind whose files carry a sum of themselves.
"""
