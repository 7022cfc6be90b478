"""Tables as Parquet files: schemas, one reader and one writer, and seeds by key."""

REVISION = 1
"""Raise it where a change of foundations/runtime, foundations/params or stages/__init__.py changes what a stage writes.

Those say how the work is done, so no stage declares them and DVC runs nothing again when they change; it does run every
stage again when this file changes, and shards kept from earlier runs are made anew.
"""
