"""Running jobs: one job, the loop around it, what is due, and what has to be tidied up."""
