"""Work on many regions at once, in as many processes as there are processors for.

Regions know nothing of one another, so that each may be folded anywhere; and one
process folds on one processor, whatever it waits for.
"""
