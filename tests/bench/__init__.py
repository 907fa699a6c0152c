"""The bench behind `scripts/bench`: c3fs beside the local file system, interleaved, in one run.

`data` makes the trees, `measures` holds one function a row (each returns seconds for c3fs and for its peer, taken
one after the other), `report` turns rounds into medians and spread. No test asserts any of it: times are noise on
a shared machine, and counts are asserted in the tests proper.
"""
