"""The task of the Azure Batch tutorial, as one would write it: words of a file, punctuation stripped, the ten most frequent.

Prints them in the order of `topn`. A line at a time: the text as one list of words would not fit into memory.
"""

import string
import sys
from collections import Counter

counts: Counter[str] = Counter()
with open(sys.argv[1], encoding="utf-8") as file:
    for line in file:
        counts.update(word.strip(string.punctuation) for word in line.split())
del counts[""]
for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))[:10]:
    print(word, count, sep="\t")
