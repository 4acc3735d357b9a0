#pragma once
/* What plans and comparisons of releases print alike. */
#include "proto/control/control.pb-c.h"

/* One way from release to release: nothing lost, or what. */
void plan_print_pairing(const char *name, const Control__Pairing *pairing);
