#pragma once
/* A service of a machine, in words. */
#include "proto/control/control.pb-c.h"

/*
 * What the service is doing; `-` when the machine was not asked just now, since a state of before says nothing of now.
 */
const char *service_state(const Control__Status *status, const Machine__Service *service);
