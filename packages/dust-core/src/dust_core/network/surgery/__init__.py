"""Networks made out of networks: cut, refitted, at other patches."""
