"""The bundled sample: rendered videos with known actions, for where there is no data (stage `render`)."""
