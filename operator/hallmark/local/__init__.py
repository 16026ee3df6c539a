"""The whole chain without a cluster: the operator's decisions, carried out on a folder.

What a training Job, a sealing Job and a predictor do is done by their own code in this process;
what an operator decides is decided by the same pure functions. Only what is around them differs:
a folder instead of an API server and a store.
"""
