"""Many independent jobs in processes of this machine, or on a Ray cluster.

One seam for both: an `Executor` of `concurrent.futures`. A worker imports this package before it
limits its threads, so nothing here imports numpy or TensorFlow.
"""
