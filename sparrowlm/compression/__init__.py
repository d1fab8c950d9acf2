"""Make models smaller from outside: fewer bits, fewer ids, fewer neurons, and what that costs."""
