"""Tables as Parquet files: schemas, one reader and one writer, and seeds by key."""
