#pragma once
/* Inside hosts: what the reader of files and whoever is given values by a command line both ask. */
#include "ctl/hosts/hosts.h"

/* The largest file, and the most hosts in one. */
#define HOSTS_FILE_BYTES (64u << 10)
#define HOSTS_MAX 256u

/* What is wrong with it; NULL: nothing. ret_remedy: what it should be. */
const char *hosts_name_wrong(const char *name, const char **ret_remedy);
const char *hosts_value_wrong(enum hosts_key key, const char *value, const char **ret_remedy);
