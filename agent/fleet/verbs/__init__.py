"""The verbs of edgectl, one file each: what the command line says; programs are imported when they run."""
