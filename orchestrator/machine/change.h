#pragma once
/* What happened to a service, in a word or two, and to which generation of it. */
#include <stddef.h>

#include "proto/machine/machine.pb-c.h"

/* For any value, those of a newer machine included. */
const char *change_text(Machine__ServiceChangeKind kind);
/*
 * " (generation 5.2)" of what the machine ran when it told its status last (NULL: it told none), or ""
 * when that is not known. Events of RS name no generation; while a standing order moves the service, the
 * second number is old as soon as it is told, and left out.
 */
void change_generation(const Machine__ServiceChange *change, const Machine__Status *status,
        char *ret_text, size_t size);
