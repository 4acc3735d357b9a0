#pragma once
/*
 * A machine for tests of what is believed: it boots, is shown envelopes, and answers. What is shown
 * next is the sample, which a test spoils before it shows it.
 */
#include "osd/servers/rs/trust/trust.h"
#include "proto/envelope/sample.h"

extern struct trust_state t;
extern struct sample s; /* what is shown next */
extern uint64_t uptime;

/* A machine that boots at a time with the sample's root, of this serial. */
void boot(uint64_t time, uint64_t serial);
/* A fresh sample of this kind under a root of this serial. */
void sample_of(enum envelope_kind kind, uint64_t serial);
err_t show_statement(void);
err_t tell_statement(uint64_t serial);
err_t show_variant(struct trust_variant **ret_variant);
/* The sample's variant, signed at a time. */
err_t admit(uint64_t serial, uint64_t issued);
/* Show the order: as RS does, up to where it would begin. */
err_t show_order(void);
/* An order for the variant that was admitted last with these times. */
err_t order(uint64_t serial, uint64_t number, uint64_t generation, uint64_t issued);
void commit(uint64_t serial, uint64_t number, uint64_t generation);
err_t set_time(uint64_t time, uint64_t nonce, uint64_t next);
/* The sample's kit alone, under a root of this serial. */
err_t admit_kit(uint64_t serial);
/* An order that leaves the layout of the sample's kit to the machine. */
void machine_made(uint64_t serial, uint64_t number);
