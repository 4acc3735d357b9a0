/*
 * What is lost, dropped, moved or copied instead of simply carried over.
 */
#pragma once

#include "proto/state/report/report.h"

/* What a default would lose: said when a handler asks for it. */
struct state_loss {
	struct state_notice notice;
	bool is_annotated;
	bool is_told;
};

struct state_losses {
	const struct state_losses *next;
	struct state_loss *loss;
};

/*
 * State without a place in the new release. Listed; unless an annotation or consent allows it, the
 * next state_loss_check() fails with STATE_E_LOSS, naming the first of them.
 */
void state_lose_entry(struct state_report *r, uint32_t entry, bool is_unsure);
void state_lose_member(struct state_report *r, uint32_t old_type, uint32_t new_type,
        const struct state_field *field);
void state_lose_objects(struct state_report *r, uint32_t entry, uint64_t n);
void state_lose_elements(struct state_report *r, const void *old);
enum state_code state_loss_check(struct state_report *r);
/* A default is used that loses this; as state_loss_check(). */
enum state_code state_lose_default(struct state_report *r, const struct state_losses *losses);
/* The plan in the making contains one that would lose this. */
void state_losses_join(struct state_report *r, const struct state_losses *losses);
/* What would be lost if the old instance had any. */
void state_risk(struct state_report *r, enum state_thing thing, uint32_t type, const char *name,
        uint64_t from);
/* Somebody's word, in the new release, that what was carried over starts fresh. */
void state_drop(struct state_report *r, uint32_t old_type, const char *member);
void state_drop_type(struct state_report *r, uint32_t old_type);
void state_moved(struct state_report *r, uint32_t i, uint32_t k);
void state_copied(struct state_report *r, uint32_t entry);
