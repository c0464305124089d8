"""The task of the Azure Batch tutorial: the words of a file, all in memory as the tutorial does it (16 bytes of memory for each
byte of prose), punctuation stripped, counted; the ten most frequent in the order of `topn`.
"""

import string
import sys
from collections import Counter

with open(sys.argv[1], encoding="utf-8") as file:
    stripped = [word.strip(string.punctuation) for word in file.read().split()]
counts = Counter(stripped)
del counts[""]
for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0].encode()))[:10]:
    print(word, count, sep="\t")
