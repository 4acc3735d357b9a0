#pragma once
/* What policies do by themselves, as `status` tells it. */
#include "proto/control/control.pb-c.h"

/* A line for each policy that does something; nothing without one. */
void policies_print(const Control__Status *status);
