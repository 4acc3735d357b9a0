#pragma once
/* What happened to a service, in a word or two, and to which generation of it. */
#include <stddef.h>
#include <stdint.h>

#include "proto/machine/machine.pb-c.h"

/* For any value, those of a newer machine included. */
const char *change_text(Machine__ServiceChangeKind kind);
/*
 * What it was a change of, by what the machine told last (NULL: nothing): 0 is not known. While a standing order moves
 * the service, how many layouts were made in the generation is old as soon as it is told, and not known.
 */
void change_number(const Machine__ServiceChange *change, const Machine__Status *status,
        uint64_t *ret_generation, uint64_t *ret_made);
/*
 * " (generation 5.2)" of the same, or "" when it is not known.
 */
void change_generation(const Machine__ServiceChange *change, const Machine__Status *status,
        char *ret_text, size_t size);
