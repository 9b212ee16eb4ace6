"""The scripts that complete the command in a shell."""
