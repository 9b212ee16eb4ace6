"""Where jobs are kept: the `Store` contract, and a module for each engine that fulfils it."""
