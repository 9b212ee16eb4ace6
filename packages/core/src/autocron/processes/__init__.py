"""Who is alive, who wakes whom: processes, locks and sockets. All differences of platforms live here."""
