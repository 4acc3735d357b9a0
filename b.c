static int calls;
static int bump(int x){ static int calls; calls += x; return calls; }
int other(int x){ calls++; return bump(x) + calls; }
