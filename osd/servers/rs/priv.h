#pragma once
/* What main.c and table.c share. */
#include "osd/abi/message.h"

/* Handle a request and answer it. */
void table_dispatch(const struct message *msg);
