"""Models and the authors' files, in and out: import, export, predict."""
