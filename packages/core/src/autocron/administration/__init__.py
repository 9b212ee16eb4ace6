"""What an administrator asks: who runs, why a job waits, what has happened to it, what is wrong."""
