#pragma once
/* What happened to a service, in a word or two. */
#include "proto/machine/machine.pb-c.h"

/* For any value, those of a newer machine included. */
const char *change_text(Machine__ServiceChangeKind kind);
