#pragma once
/* The load program's parts: what every key should hold (shadow.c), operations on DS (operation.c),
 * figures (figures.c). */
#include "osd/abi/ds.h"

#define KEYS_MAX 4096u
#define VALUE_MAX 1024u

/* A request's memory, granted to DS: the key, then the value. */
struct load_buffer {
	char key[12];
	uint8_t value[VALUE_MAX];
};

/* What key n should hold. Values are computed from (key, version), never stored. */
void shadow_start(uint32_t n_keys, uint32_t value_bytes);
uint32_t shadow_n_keys(void);
bool shadow_is_present(uint32_t n);
void shadow_key(uint32_t n, char key[12]);
/* Fill in the value of a key's current version, and tell its type and length. */
uint32_t shadow_value(uint32_t n, uint8_t value[VALUE_MAX], enum ds_type *ret_type);
void shadow_published(uint32_t n);
void shadow_next(uint32_t n); /* the value changes to the next version */
void shadow_deleted(uint32_t n);
void shadow_forget(void); /* DS started afresh: nothing is there */

/*
 * Operations. Each does one thing to DS, checks the whole answer, and
 * returns whether it was right.
 */
bool operation_start(void);
/* DS was restarted afresh: what it held is gone, and so is our subscription. */
bool operation_after_restart(void);
bool operation_publish(uint32_t n);
bool operation_retrieve(uint32_t n);
bool operation_delete(uint32_t n);
bool operation_resubscribe(void);
bool operation_count(void);

/* Was DS started afresh since this was asked last? */
bool restart_was_seen(void);

/* Figures, reported to RS a few times a second without waiting. */
void figures_done(bool right);
uint64_t figures_n(void);
