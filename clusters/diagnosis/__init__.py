"""One sentence of cause for whatever is not well in a cluster, and what to do about it.

cause_of and refine are pure: rows and events in, a cause with stable codes and
plain values out. words() puts a cause in the reader's language.
"""

from clusters.diagnosis.evidence import evidence_link
from clusters.diagnosis.rules import cause_of, refine
from clusters.diagnosis.words import Words, level, words

__all__ = ["Words", "cause_of", "evidence_link", "level", "refine", "words"]
