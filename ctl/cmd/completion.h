#pragma once
/* The other half of `luctl completion`: what its scripts ask. */
#include "ctl/cmdline/cmdline.h"

/* Print what could stand where the last word does, a line each. Says nothing of what goes wrong. Always CTL_OK. */
int completion_answer(const struct verb *verbs, size_t n_verbs, int n, char **words);
