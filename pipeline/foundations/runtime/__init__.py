"""How the work runs, never what it makes: files, processes, engines, shards, devices."""
