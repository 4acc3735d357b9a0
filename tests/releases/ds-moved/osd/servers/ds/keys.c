/* DS's keys, and all variables and functions around them, in a file of another name. */
#include "osd/servers/ds/store.c"
