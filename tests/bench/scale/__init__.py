"""The operator at scale: a real API server and store, with hands for whatever needs a node.

A world is made for each number of ModelDeployments, and the scenes follow each other in it:
first start, to Ready, to the next version, at rest, reports, drift, revocation, restart, and at
last a bare loop that makes the writes which the operator made. The hands (Deployment controller,
kubelet, predictors) are this process; the operator is a process of its own, with its shipped role.
"""
