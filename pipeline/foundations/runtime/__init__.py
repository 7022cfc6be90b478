"""How work runs, without effect on results: files, processes, engines, shards, devices."""
